//! Virtual routers.
