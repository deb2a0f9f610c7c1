use std::io::Read;

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use proptest::prelude::*;

use super::*;

fn inflated(compressed: &[u8]) -> Vec<u8> {
    let stream = [compressed, &[3, 0]].concat();
    let mut text = Vec::new();
    DeflateDecoder::new(stream.as_slice()).read_to_end(&mut text).expect("a deflate stream");
    text
}

fn deflated(text: &[u8], level: u32) -> usize {
    use std::io::Write;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).expect("memory does not fail");
    encoder.finish().expect("memory does not fail").len()
}

/// Series of so many pods, each in so many states, as a family shows them.
fn series(pods: u64, states: &[&str]) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = String::new();
    for pod in 0..pods {
        let (uid, hash) = (random.u128(..), random.u32(..));
        for state in states {
            text += &format!(
                "kube_pod_status_phase{{namespace=\"ns-{}\",pod=\"web-{hash:x}\",uid=\"{uid:032x}\",\
                 phase=\"{state}\"}} {}\n",
                pod % 100,
                u8::from(state.len() == 7)
            );
        }
    }
    text
}

prop_compose! {
    fn line()(
        labels in prop::collection::vec(("[ab]{1,3}", "[a-c\"]{0,12}|.{0,20}"), 0..4),
        value in "[0-9]{0,12}",
        end in "\n|\n\n|",
    ) -> String {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("name{{{}}} {value}{end}", labels.join(","))
    }
}

proptest! {
    #[test]
    fn lines_come_back(lines in prop::collection::vec(line(), 0..200)) {
        let text = lines.concat();
        prop_assert_eq!(inflated(&deflate(text.as_bytes())), text.as_bytes());
    }

    #[test]
    fn any_bytes_come_back(text in prop::collection::vec(any::<u8>(), 0..3_000)) {
        prop_assert_eq!(inflated(&deflate(&text)), text);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_long_comes_back(
        parts in prop::collection::vec(("[a\n\"]{1,9}", 1_usize..12_000), 1..4),
    ) {
        let text = parts.iter().map(|(part, times)| part.repeat(*times)).collect::<String>();
        prop_assert_eq!(inflated(&deflate(text.as_bytes())), text.as_bytes());
    }
}

/// Symbols that occur as often as Fibonacci's numbers make the deepest tree.
#[test]
fn no_code_is_longer_than_the_format_has() {
    let mut text = Vec::new();
    let (mut a, mut b) = (1_usize, 1);
    for symbol in 0..24_u8 {
        (0..a).for_each(|_| text.extend_from_slice(&[b'A' + symbol, b'\n']));
        (a, b) = (b, a + b);
    }
    assert_eq!(inflated(&deflate(&text)), text);
    for limit in [7, 15] {
        let counts: Vec<u32> = (0..19).map(|at| 1 << at).collect();
        let code = Code::new(&counts, limit);
        let lengths: Vec<u8> = code.lengths().collect();
        assert!(lengths.iter().all(|length| (1..=limit).contains(length)), "{lengths:?}");
        let room: u32 = lengths.iter().map(|length| 1 << (15 - length)).sum();
        assert_eq!(room, 1 << 15, "a code that is full");
    }
}

#[test]
fn it_is_about_as_small_as_a_general_compressor_makes_it() {
    for states in [&["Running"][..], &["Pending", "Succeeded", "Failed", "Unknown", "Running"]] {
        let text = series(256, states);
        let (ours, general) = (deflate(text.as_bytes()).len(), deflated(text.as_bytes(), 6));
        assert!(ours * 10 < general * 11, "{ours} bytes against {general}");
    }
}

#[test]
fn lengths_and_distances_have_their_symbols() {
    assert_eq!(length_symbol(3), (257, 0, 0));
    assert_eq!(length_symbol(10), (264, 0, 0));
    assert_eq!(length_symbol(11), (265, 0, 1));
    assert_eq!(length_symbol(257), (284, 30, 5));
    assert_eq!(length_symbol(258), (285, 0, 0));
    assert_eq!(distance_symbol(1), (0, 0, 0));
    assert_eq!(distance_symbol(4), (3, 0, 0));
    assert_eq!(distance_symbol(5), (4, 0, 1));
    assert_eq!(distance_symbol(32_768), (29, 8_191, 13));
}
