//! Servers and networks that fall silent.
