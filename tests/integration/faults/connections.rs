//! Connections that are refused, told to go away, or of another protocol.
