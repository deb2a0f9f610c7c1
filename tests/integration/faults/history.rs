//! Versions that expire or go back, objects that go while nobody looks.
