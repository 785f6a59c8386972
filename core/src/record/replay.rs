//! Feeds a recording to a node and compares what it asks for.
//!
//! The hash of a frame speaks of the actions polled before it, so that a difference is noticed with the frame that
//! follows. Where a segment begins with a node, the replayed one must have come to the very same state; after a
//! damage the replay goes on with the recorded node.

use super::check::Hash;
use super::decode::decode;
use super::encode::encode;
use super::read::{Damage, Entry, Frame, Item, Items, Moment, Recording};
use crate::action::Action;
use crate::input::Input;
use crate::node::Node;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// One step of a replay.
#[derive(Debug)]
pub enum Step {
    /// A node begins: as it started, or as it stood when this part of the recording began.
    Begins {
        /// When.
        at: Moment,
        /// It has just started.
        fresh: bool,
        /// What it asks for at once.
        actions: Vec<Action>,
    },
    /// An input was fed.
    Fed {
        /// When.
        at: Moment,
        /// The input.
        input: Box<Input<'static>>,
        /// What the node asked for.
        actions: Vec<Action>,
    },
    /// The node did not do what it did when it was recorded.
    Differs(Difference),
    /// A part of the recording cannot be read.
    Damaged(Damage),
    /// The recorded node was given up, cleanly.
    Finished {
        /// When.
        at: Moment,
    },
}

/// How a replay differs from what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// At which byte of the file.
    pub offset: usize,
    /// When the input was handled after which they differ.
    pub at: Moment,
    /// The recorded and the replayed hash of the actions; `None` where there were none. Both alike: the actions are
    /// the same, but the node is in another state than the recorded one.
    pub hashes: (Option<u32>, Option<u32>),
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay<'a> {
    items: Items<'a>,
    node: Option<Node>,
    polled: Option<Hash>,
    /// When the last input was handled.
    last: Moment,
    next: VecDeque<Step>,
    /// How many inputs were fed.
    fed: u64,
}

impl<'a> Replay<'a> {
    /// A replay of all of `recording`.
    #[must_use]
    pub fn new(recording: &Recording<'a>) -> Replay<'a> {
        Replay {
            items: recording.items(),
            node: None,
            polled: None,
            last: Moment::default(),
            next: VecDeque::new(),
            fed: 0,
        }
    }

    /// The node as it stands.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Gives up the replay for its node.
    #[must_use]
    pub fn into_node(self) -> Option<Node> {
        self.node
    }

    /// The moment of the last input.
    #[must_use]
    pub fn last(&self) -> Moment {
        self.last
    }

    /// How many inputs were fed.
    #[must_use]
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// The next step; `None` at the end.
    pub fn step(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.next.pop_front() {
                return Some(step);
            }
            match self.items.next()? {
                Item::Entry(entry) => self.entry(entry),
                Item::Damage(damage) => {
                    self.node = None;
                    self.polled = None;
                    return Some(Step::Damaged(damage));
                }
            }
        }
    }

    fn entry(&mut self, entry: Entry<'a>) {
        let Entry { offset, at, polled, frame } = entry;
        let replayed = self.polled.take().map(Hash::folded);
        if self.node.is_some() && replayed != polled {
            self.differs(offset, (polled, replayed));
        }
        match frame {
            Frame::Start { config, seed } => {
                self.node = Some(Node::new(config, seed, at.time));
                let actions = self.poll();
                self.next.push_back(Step::Begins { at, fresh: true, actions });
            }
            Frame::Node(bytes) => self.stands(offset, at, bytes),
            Frame::Input(input) => {
                let Some(node) = &mut self.node else { return };
                node.handle(at.time, input.clone());
                self.fed += 1;
                self.last = at;
                let actions = self.poll();
                self.next.push_back(Step::Fed { at, input: Box::new(input), actions });
            }
            Frame::Finish => self.next.push_back(Step::Finished { at }),
        }
    }

    /// The recorded node stood so: compare, or begin with it.
    fn stands(&mut self, offset: usize, at: Moment, bytes: &[u8]) {
        if let Some(node) = &self.node {
            let mut ours = Vec::with_capacity(bytes.len());
            if encode(node, None, &mut ours).is_err() || ours != bytes {
                self.differs(offset, (None, None));
            }
            return;
        }
        match decode(bytes) {
            Ok(node) => {
                self.node = Some(node);
                self.next.push_back(Step::Begins { at, fresh: false, actions: Vec::new() });
            }
            Err(_) => {
                let what = "a node is sound, but this build of standfast does not understand it";
                self.next.push_back(Step::Damaged(Damage { offset, after: Some(at), what }));
            }
        }
    }

    fn differs(&mut self, offset: usize, hashes: (Option<u32>, Option<u32>)) {
        self.next.push_back(Step::Differs(Difference { offset, at: self.last, hashes }));
    }

    fn poll(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut bytes = Vec::new();
        while let Some(action) = self.node.as_mut().and_then(Node::poll) {
            bytes.clear();
            if encode(&action, None, &mut bytes).is_ok() {
                self.polled.get_or_insert_default().bytes(&bytes);
            }
            actions.push(action);
        }
        actions
    }
}
