//! Keeps namespaces, and `SizingPolicy` objects where they are asked for, in the book that the server judges by
//! (`--watch-namespaces`, `--policies-from-cluster`). `cli/serve.rs` runs it.
//!
//! First all policies, then all namespaces: from then on the book is ready, and stays so. With the API server away, the last
//! of both stay in force.

use std::{convert::Infallible, sync::Arc};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::DynamicObject, core::PartialObjectMeta};
use tokio::{sync::watch, task::spawn_blocking};
use tracing::info;

use super::{Cluster, said::Said};
use crate::{policies::Book, policy::Labels};

mod follow;
mod lease;
mod objects;
mod status;

use follow::{Followed, News, Trouble};
use objects::Objects;

/// Which part of the cluster is followed.
pub struct Governance {
    cluster: Cluster,
    book: Arc<Book>,
    said: Said,
}

impl Governance {
    pub fn of(cluster: Cluster, book: Arc<Book>) -> Self {
        Self { cluster, book, said: Said::default() }
    }

    /// Namespaces alone, for ever.
    pub async fn keep_namespaces(mut self) -> Infallible {
        let mut namespaces = self.namespaces();
        loop {
            let news = namespaces.next().await;
            self.hear_of_namespaces(news).await;
        }
    }

    /// Policies and namespaces, for ever; and the policies' status, where this replica holds the lease.
    pub async fn keep_policies(mut self) -> Infallible {
        let mut policies = Followed::of(objects::api(&self.cluster));
        let mut objects = Objects::default();
        while !objects.are_known() {
            let news = policies.next().await;
            self.hear_of_policies(news, &mut objects).await;
        }
        let (shown, seen) = watch::channel(objects.all().cloned().collect::<Vec<_>>());
        let mut seen = Some(seen);
        let mut namespaces = self.namespaces();
        loop {
            tokio::select! {
                news = policies.next() => {
                    self.hear_of_policies(news, &mut objects).await;
                    shown.send_replace(objects.all().cloned().collect());
                }
                news = namespaces.next() => self.hear_of_namespaces(news).await,
            }
            // No status says that a policy is in force before this replica judges by it.
            if self.book.unready().is_none()
                && let Some(seen) = seen.take()
            {
                tokio::spawn(status::keep(self.cluster.clone(), Arc::clone(&self.book), seen));
            }
        }
    }

    fn namespaces(&self) -> Followed<PartialObjectMeta<Namespace>> {
        Followed::of(Api::all(self.cluster.watching.clone()))
    }

    async fn hear_of_policies(&mut self, news: Result<News<DynamicObject>, Trouble>, objects: &mut Objects) {
        let topic = "SizingPolicy objects cannot be followed; those last read stay in force";
        match self.heard(topic, news, "sizingpolicies.podfit.dev") {
            Some(News::All(all)) => objects.replace(all),
            Some(News::Changed(policy)) => objects.change(policy),
            Some(News::Gone(policy)) => objects.forget(policy.metadata.name.as_deref().unwrap_or_default()),
            None => return,
        }
        objects.count_changes(&self.book);
        if !objects.have_changed() {
            return;
        }
        let policies = objects.in_force();
        self.rewrite(move |book| book.set_cluster(policies)).await;
    }

    async fn hear_of_namespaces(&mut self, news: Result<News<PartialObjectMeta<Namespace>>, Trouble>) {
        let topic = "namespaces cannot be followed; what was last read stays";
        let Some(news) = self.heard(topic, news, "namespaces") else { return };
        let was_ready = self.book.unready().is_none();
        self.rewrite(move |book| tell_namespaces(book, news)).await;
        if !was_ready {
            let rulebook = self.book.load();
            let (policies, namespaces) = (rulebook.policies().policies().len(), rulebook.namespaces().unwrap_or(0));
            info!(policies, namespaces, "the cluster's policies and namespaces are in force");
        }
    }

    /// Nothing where there is only trouble, which is told in the log and by /readyz.
    fn heard<K>(&mut self, topic: &'static str, news: Result<News<K>, Trouble>, resource: &str) -> Option<News<K>> {
        let trouble = news.as_ref().err().map(|trouble| trouble.in_words(resource));
        if trouble.is_some() {
            self.book.trouble(trouble.clone());
        }
        self.said.say(topic, trouble);
        news.ok()
    }

    /// Compiling thousands of namespaces takes long enough to keep signals and leases waiting.
    async fn rewrite(&self, write: impl FnOnce(&Book) + Send + 'static) {
        let book = Arc::clone(&self.book);
        if let Err(failure) = spawn_blocking(move || write(&book)).await {
            tracing::error!(%failure, "a change of policies or namespaces is not taken; this is a bug");
        }
    }
}

fn tell_namespaces(book: &Book, news: News<PartialObjectMeta<Namespace>>) {
    let named = |namespace: PartialObjectMeta<Namespace>| {
        let metadata = namespace.metadata;
        (metadata.name.unwrap_or_default(), metadata.labels.unwrap_or_default())
    };
    match news {
        News::All(all) => book.set_namespaces(all.into_iter().map(named).collect()),
        News::Changed(namespace) => {
            let (name, labels): (String, Labels) = named(namespace);
            if book.load().labels(&name) != Some(&labels) {
                book.change_namespace(name, Some(labels));
            }
        }
        News::Gone(namespace) => book.change_namespace(named(namespace).0, None),
    }
}
