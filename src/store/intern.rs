//! Text that repeats, held once: namespaces, nodes, reasons, kinds.

use std::sync::Arc;

use hashbrown::HashSet;

use super::tally::LONGEST;

/// Gives the same `Arc<str>` for the same text, and forgets what nobody holds any more.
#[derive(Debug, Default)]
pub struct Interner {
    texts: HashSet<Arc<str>>,
    /// How many there were after the last sweep.
    swept: usize,
}

impl Interner {
    /// The shared text. What is too long to be shown is not shared, so that nothing large waits
    /// here for a sweep.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        if text.len() > LONGEST {
            return text.into();
        }
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        // Sweeping at each doubling costs a constant an insertion, and bounds what is held for
        // nothing to what is held for something.
        if self.texts.len() > 2 * self.swept + 64 {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.texts.shrink_to(2 * self.texts.len() + 64);
            self.swept = self.texts.len();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_held_once() {
        let mut interner = Interner::default();
        let (a, b) = (interner.intern("shop"), interner.intern("shop"));
        assert!(Arc::ptr_eq(&a, &b));
    }

    #[test]
    fn what_is_long_is_not_kept() {
        let mut interner = Interner::default();
        assert_eq!(interner.intern(&"x".repeat(1 << 20)).len(), 1 << 20);
        assert!(interner.texts.is_empty());
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut interner = Interner::default();
        let kept = interner.intern("kept");
        for i in 0..10_000 {
            interner.intern(&i.to_string());
        }
        assert!(interner.texts.len() < 200, "{}", interner.texts.len());
        assert!(Arc::ptr_eq(&kept, &interner.intern("kept")));
    }
}
