//! Slow readers, storms, clocks that jump.
