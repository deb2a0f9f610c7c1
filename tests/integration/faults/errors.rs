//! Errors that the server states, and how often it is asked again.
