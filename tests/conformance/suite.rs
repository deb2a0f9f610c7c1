//! What the tests share: one API server, and Kubetallys that watch it.

use std::{collections::BTreeSet, future::Future, path::Path, pin::Pin, sync::Arc};

use libtest_mimic::Completion;
use serde_json::json;
use tokio::{
    runtime::Runtime,
    sync::{Mutex, OnceCell, OwnedMutexGuard},
};

use crate::{
    api::{Api, Call},
    cluster::{ApiServer, Assets, Cluster},
    daemon::Kubetally,
};

/// A test of a module's `TESTS`.
pub type Test = for<'s> fn(&'s Suite) -> Pin<Box<dyn Future<Output = Completion> + 's>>;

/// Lists the tests of a module, `async fn(&Suite)` each.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        /// The tests of this module.
        pub const TESTS: &[(&str, $crate::suite::Test)] = &[$((stringify!($name), |suite| {
            Box::pin(async move { $crate::suite::Outcome::completion($name(suite).await) })
        })),+];
    };
}

pub(crate) use tests;

/// How a test ends that does not panic.
pub trait Outcome {
    fn completion(self) -> Completion;
}

impl Outcome for () {
    fn completion(self) -> Completion {
        Completion::Completed
    }
}

/// Of a test that may find that it cannot run.
impl Outcome for Result<(), Completion> {
    fn completion(self) -> Completion {
        self.err().unwrap_or(Completion::Completed)
    }
}

/// Of a test that this machine may not let run.
impl Outcome for Completion {
    fn completion(self) -> Completion {
        self
    }
}

/// What a test is given.
pub struct Suite {
    /// The programs, for tests that break their API server.
    pub assets: Assets,
    common: Arc<Common>,
    /// That it has the API server which tests share, until it ends.
    turn: OnceCell<OwnedMutexGuard<()>>,
}

/// What the tests share.
struct Common {
    shared: OnceCell<Shared>,
    /// Of those that use what is shared: one at a time.
    turn: Arc<Mutex<()>>,
    runtime: Runtime,
}

/// The API server that no test breaks.
pub struct Shared {
    pub server: ApiServer,
    pub cluster: Cluster,
}

impl Suite {
    pub fn new(assets: Assets) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let common = Common { shared: OnceCell::new(), turn: Arc::default(), runtime };
        Self { assets, common: Arc::new(common), turn: OnceCell::new() }
    }

    /// The same, for another test.
    pub fn another(&self) -> Self {
        let (assets, common) = (self.assets.clone(), Arc::clone(&self.common));
        Self { assets, common, turn: OnceCell::new() }
    }

    /// Runs a test.
    pub fn run(&self, test: Test) -> Completion {
        self.common.runtime.block_on(test(self))
    }

    /// The shared API server, without pods and events, for this test alone; and its API for
    /// somebody who may do everything.
    pub async fn fresh(&self) -> (&Shared, Api) {
        let start = async || {
            let cluster = Cluster::start(&self.assets).await;
            Shared { server: cluster.api_server(&[]).await, cluster }
        };
        self.turn.get_or_init(|| Arc::clone(&self.common.turn).lock_owned()).await;
        let shared = self.common.shared.get_or_init(start).await;
        let api = shared.server.admin();
        empty(&api).await;
        (shared, api)
    }
}

/// Deletes all pods and events.
async fn empty(api: &Api) {
    for resource in ["pods", "events"] {
        let list = api.list(&format!("/api/v1/{resource}")).await;
        let items = list["items"].as_array().into_iter().flatten();
        let namespaces: BTreeSet<_> =
            items.filter_map(|item| item["metadata"]["namespace"].as_str()).collect();
        for namespace in namespaces {
            api.must(Call::delete(format!("/api/v1/namespaces/{namespace}/{resource}"))).await;
        }
    }
}

/// Makes a namespace as the controllers would: with its service account. One that is there stays.
pub async fn namespace(api: &Api, name: &str) {
    for (path, object) in [
        ("/api/v1/namespaces".to_owned(), json!({"metadata": {"name": name}})),
        (
            format!("/api/v1/namespaces/{name}/serviceaccounts"),
            json!({"metadata": {"name": "default"}, "automountServiceAccountToken": false}),
        ),
    ] {
        let call = Call::create(path, object);
        let answer = api.send(&call).await.expect("an answer");
        assert!([201, 409].contains(&answer.status), "{call:?}: {answer:?}");
    }
}

/// Starts a Kubetally that watches as this kubeconfig says, with these flags more.
pub async fn kubetally(kubeconfig: &Path, flags: &[&str]) -> Kubetally {
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let own = ["--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0", "--log-level", "debug"];
    Kubetally::start(&[&own, flags].concat(), []).await
}
