//! Settings: defaults < file < environment < flags. `raw` is what was written, `settings` what it means.

pub mod settings;
