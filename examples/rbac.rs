//! Prints the role for what is watched by default: `deploy/base/rbac.yaml`.

use kubetally::{kinds, rbac};

fn main() {
    print!("{}", rbac::manifest(&rbac::rules(kinds::defaults())));
}
