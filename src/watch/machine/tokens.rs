//! The continue tokens of one list.

/// Finds a loop of continue tokens, of any length: one is kept and compared with those that follow,
/// and exchanged each time as many have followed as before (Brent's algorithm).
#[derive(Debug, Default)]
pub struct Tokens {
    kept: Option<String>,
    followed: u32,
    patience: u32,
}

impl Tokens {
    /// Whether this token, the next of the list, was there before.
    pub fn repeat(&mut self, token: &str) -> bool {
        if self.kept.as_deref() == Some(token) {
            return true;
        }
        self.followed += 1;
        if self.followed > self.patience {
            self.kept = Some(token.to_owned());
            self.patience = 2 * self.patience + 1;
            self.followed = 0;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_loop_is_found_and_nothing_else(head in 0_usize..40, around in 1_usize..40) {
            let mut tokens = Tokens::default();
            let mut token = |at: usize| tokens.repeat(&at.to_string());
            prop_assert!(!(0..head + around).any(&mut token));
            // Twice as many as before may follow until the kept one is in the loop.
            let pages = 4 * (head + around);
            prop_assert!((0..pages).any(|page| token(head + page % around)));
        }
    }
}
