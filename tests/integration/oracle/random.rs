//! Anything of each type that it is asked for.

use std::collections::BTreeMap;

use fastrand::Rng;

pub struct Random(pub Rng);

/// What can be anything.
pub trait Any {
    fn any(random: &mut Random) -> Self;
}

impl Any for String {
    fn any(random: &mut Random) -> Self {
        const TEXTS: [&str; 9] = [
            "",
            "True",
            "False",
            "Ready",
            "app",
            "10.0.0.1",
            "quoted \"\\\n",
            "größe 日本",
            "Error",
        ];
        match random.0.u8(..8) {
            0 => (0..random.0.usize(..300)).map(|_| random.0.char(..)).collect(),
            _ => TEXTS[random.0.usize(..TEXTS.len())].into(),
        }
    }
}

impl Any for bool {
    fn any(random: &mut Random) -> Self {
        random.0.bool()
    }
}

impl Any for i32 {
    fn any(random: &mut Random) -> Self {
        random.0.i32(..)
    }
}

impl Any for i64 {
    fn any(random: &mut Random) -> Self {
        random.0.i64(..)
    }
}

impl<T: Any> Any for Option<T> {
    fn any(random: &mut Random) -> Self {
        (random.0.u8(..4) > 0).then(|| T::any(random))
    }
}

impl<T: Any> Any for Vec<T> {
    fn any(random: &mut Random) -> Self {
        (0..random.0.usize(..4)).map(|_| T::any(random)).collect()
    }
}

impl<T: Any> Any for BTreeMap<String, T> {
    fn any(random: &mut Random) -> Self {
        Vec::<(String, T)>::any(random).into_iter().collect()
    }
}

impl<A: Any, B: Any> Any for (A, B) {
    fn any(random: &mut Random) -> Self {
        (A::any(random), B::any(random))
    }
}
