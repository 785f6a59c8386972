//! keepalived.conf: lexer, keyword tables, and how it becomes the model.
