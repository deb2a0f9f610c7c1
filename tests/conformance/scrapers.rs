//! Who may scrape, as a real API server says it, by the roles that are shipped.

use crate::{
    access::{account, bind, subject, token, unbind},
    cluster::User,
    daemon::Kubetally,
    deploy::{apply, apply_folder},
    eventually::eventually,
    http,
    suite::{Suite, kubetally, tests},
};

tests![only_whom_the_cluster_allows_may_scrape];

const ROLE: &str = "kubetally-reader";
const BINDING: &str = "prometheus-reads-kubetally";

/// Scrapes with a token: the status, and whether anything was shown.
async fn scrape(kubetally: &Kubetally, token: Option<&str>) -> (u16, bool) {
    let token = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let answer = http::ask(kubetally.address, "/metrics", &headers).await;
    let (status, body) = answer.expect("an answer");
    (status.as_u16(), String::from_utf8_lossy(&body).contains("kubetally_objects{"))
}

async fn only_whom_the_cluster_allows_may_scrape(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply_folder(shared, "overlays/secure");
    for name in ["prometheus", "somebody"] {
        account(&api, name).await;
    }
    let [own, prometheus, somebody] = [
        token(&api, "kubetally").await,
        token(&api, "prometheus").await,
        token(&api, "somebody").await,
    ];
    let file = shared.cluster.dir().join("own-token");
    std::fs::write(&file, &own).expect("a file");
    let user = User::TokenFile(&file);
    let kubeconfig = shared.cluster.kubeconfig("secure.kubeconfig", shared.server.port, &user);
    let mut kubetally = kubetally(&kubeconfig, &["--authorization", "cluster"]).await;
    kubetally.until_ready().await;
    for (token, status) in [
        (None, 401),
        (Some("nobody-knows-this-token"), 401),
        (Some(somebody.as_str()), 403),
        (Some(prometheus.as_str()), 403),
    ] {
        assert_eq!(scrape(&kubetally, token).await, (status, false));
    }
    // A no holds for ten seconds, a yes for a minute.
    bind(&api, BINDING, ROLE, subject("prometheus")).await;
    eventually("the right to scrape", async || match scrape(&kubetally, Some(&prometheus)).await {
        (200, true) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(scrape(&kubetally, Some(&somebody)).await, (403, false));
    for secret in [own, prometheus, somebody] {
        assert!(!kubetally.log().contains(&secret), "a token is logged");
    }
    kubetally.stop().await;
    unbind(&api, BINDING).await;
    unbind(&api, "kubetally-auth-delegator").await;
    apply(shared);
}
