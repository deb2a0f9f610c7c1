//! What a PromQL expression names: the series it selects, the labels it groups and matches by.
//! Whether it is PromQL at all, Prometheus says.

use std::collections::BTreeSet;

use crate::Test;

pub const TESTS: &[(&str, Test)] = &[("names_of_expressions_are_found", names_are_found)];

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub selectors: Vec<Selector>,
    /// In `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`.
    pub grouping: BTreeSet<String>,
    /// The windows of range selectors.
    pub ranges: BTreeSet<String>,
}

/// A selector of series.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector {
    pub metric: String,
    pub matchers: Vec<Matcher>,
}

/// A matcher of a label.
#[derive(Debug, PartialEq, Eq)]
pub struct Matcher {
    pub label: String,
    pub operator: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Range(String),
    /// A number, an operator or a bracket.
    Other(String),
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// Finds what an expression names.
///
/// # Panics
/// Where it is not understood.
pub fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut tokens = tokens(expression).into_iter().peekable();
    while let Some(token) = tokens.next() {
        let name = match token {
            Token::Name(name) => name,
            Token::Range(range) => {
                names.ranges.insert(range);
                continue;
            }
            Token::Text(_) | Token::Other(_) => continue,
        };
        match (name.as_str(), tokens.peek()) {
            (word, Some(Token::Other(open))) if GROUPING.contains(&word) && open == "(" => {
                let list = tokens.by_ref().take_while(|token| *token != Token::Other(")".into()));
                names.grouping.extend(list.filter_map(|token| match token {
                    Token::Name(label) => Some(label),
                    _ => None,
                }));
            }
            (word, _) if GROUPING.contains(&word) || OPERATORS.contains(&word) => {}
            // A function, or an aggregation: sum(…), sum by (…) (…).
            (_, Some(Token::Other(open))) if open == "(" => {}
            (_, Some(Token::Name(next))) if ["by", "without"].contains(&next.as_str()) => {}
            (_, Some(Token::Other(open))) if open == "{" => {
                tokens.next();
                let list = tokens.by_ref().take_while(|token| *token != Token::Other("}".into()));
                let matchers = matchers(&list.collect::<Vec<_>>(), expression);
                names.selectors.push(Selector { metric: name, matchers });
            }
            _ => names.selectors.push(Selector { metric: name, matchers: vec![] }),
        }
    }
    names
}

fn matchers(tokens: &[Token], expression: &str) -> Vec<Matcher> {
    let comma = Token::Other(",".into());
    let parts = tokens.split(|token| *token == comma).filter(|part| !part.is_empty());
    parts
        .map(|part| match part {
            [Token::Name(label), Token::Other(operator), Token::Text(value)] => {
                Matcher { label: label.clone(), operator: operator.clone(), value: value.clone() }
            }
            other => panic!("no matcher: {other:?} in {expression}"),
        })
        .collect()
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let (token, length) = match first {
            '"' => {
                let text = rest[1..].split('"').next().unwrap_or_default();
                assert!(!text.contains('\\'), "escapes are not understood: {expression}");
                (Token::Text(text.into()), text.len() + 2)
            }
            '[' => {
                let range = rest[1..].split(']').next().unwrap_or_default();
                (Token::Range(range.into()), range.len() + 2)
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
                (Token::Name(rest[..end].into()), end)
            }
            '0'..='9' => {
                let end = rest.find(|c| !name(c) && c != '.').unwrap_or(rest.len());
                (Token::Other(rest[..end].into()), end)
            }
            '=' | '!' | '<' | '>' if rest[1..].starts_with(['=', '~']) => {
                (Token::Other(rest[..2].into()), 2)
            }
            _ if first.is_ascii() => (Token::Other(first.into()), 1),
            _ => panic!("{first:?} is not understood: {expression}"),
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    tokens
}

fn names_are_found() {
    let selector = |metric: &str, matchers: &[(&str, &str, &str)]| Selector {
        metric: metric.into(),
        matchers: matchers
            .iter()
            .map(|(label, operator, value)| Matcher {
                label: (*label).into(),
                operator: (*operator).into(),
                value: (*value).into(),
            })
            .collect(),
    };
    let cases = [
        ("up", vec![selector("up", &[])], vec![], vec![]),
        (
            r#"60 * sum by (reason) (rate(a_total{job=~"$job", type="Warning"}[$__rate_interval]))"#,
            vec![selector("a_total", &[("job", "=~", "$job"), ("type", "=", "Warning")])],
            vec!["reason"],
            vec!["$__rate_interval"],
        ),
        (
            r#"(a == 0 and b{x!="}, (by"} > 0.1e3) unless on (job, instance) sum(c) by (le) < time()"#,
            vec![selector("a", &[]), selector("b", &[("x", "!=", "}, (by")]), selector("c", &[])],
            vec!["instance", "job", "le"],
            vec![],
        ),
    ];
    for (expression, selectors, grouping, ranges) in cases {
        let set = |texts: Vec<&str>| texts.into_iter().map(String::from).collect();
        let expected = Names { selectors, grouping: set(grouping), ranges: set(ranges) };
        assert_eq!(names(expression), expected, "{expression}");
    }
}
