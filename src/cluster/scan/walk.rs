//! The way of a scan through the API: what is listed, in which order, and what a list that does not come means.

use std::collections::BTreeSet;

use super::{
    Progress,
    fold::Fold,
    judge::{Judge, Template},
    namespaces::Namespaces,
    owners::Owners,
};
use crate::cluster::{
    Cluster,
    client::Failure,
    list::{List, Moment, Page, Resource},
};

pub(super) struct Walk<'w> {
    pub(super) cluster: &'w Cluster,
    pub(super) namespace: Option<&'w str>,
    pub(super) judge: Judge<'w>,
    pub(super) progress: &'w mut dyn FnMut(Progress),
    /// Kinds whose owners are not known: said once, in how many namespaces ever.
    pub(super) unknown: BTreeSet<&'static str>,
}

/// The scan cannot go on; why is among its errors.
struct Ended;

impl Walk<'_> {
    pub(super) async fn all(mut self) -> Fold {
        let _: Result<(), Ended> = self.walk().await;
        self.judge.fold
    }

    async fn walk(&mut self) -> Result<(), Ended> {
        self.read_namespaces().await?;
        for namespace in self.scopes().await? {
            let owners = self.owners(namespace.as_deref()).await?;
            self.pods(&owners, List::of(Resource::PODS, namespace.as_deref())).await?;
            for template in Template::ALL {
                self.templates(template, List::of(template.resource, namespace.as_deref())).await?;
            }
        }
        Ok(())
    }

    /// Without their labels the judgement is right only where no policy asks for them. A namespace that was named must be there.
    async fn read_namespaces(&mut self) -> Result<(), Ended> {
        let path = || match self.namespace {
            Some(name) => format!("{}/{name}", Resource::NAMESPACES.path(None)),
            None => Resource::NAMESPACES.path(None),
        };
        match Namespaces::read(self.cluster, self.namespace).await {
            Ok(namespaces) => self.judge.namespaces = namespaces,
            Err(failure @ Failure::Denied { .. }) if self.judge.policies.needs_namespace_labels() => {
                self.judge.fold.fail_by(path(), self.namespace, &failure);
            }
            Err(failure @ Failure::Denied { .. }) => {
                let note = format!("{}; so namespaces labelled podfit.dev/ignore=true are judged too", failure.told());
                self.judge.fold.note(note);
            }
            Err(failure) => return Err(self.end(path(), &failure)),
        }
        Ok(())
    }

    /// The whole cluster, or else each of the namespaces whose Pods may be listed.
    async fn scopes(&mut self) -> Result<Vec<Option<String>>, Ended> {
        let all = List::of(Resource::PODS, self.namespace);
        let denied = match self.cluster.may_list(&all).await {
            Ok(()) => return Ok(vec![self.namespace.map(str::to_owned)]),
            Err(failure @ Failure::Denied { .. }) => failure,
            Err(failure) => return Err(self.end(all.path(), &failure)),
        };
        let names: Vec<String> = self.judge.namespaces.names().map(str::to_owned).collect();
        if self.namespace.is_some() || names.is_empty() {
            return Err(self.end(all.path(), &denied));
        }
        let mut scopes = Vec::new();
        for name in names {
            let list = List::of(Resource::PODS, Some(&name));
            match self.cluster.may_list(&list).await {
                Ok(()) => scopes.push(Some(name)),
                Err(failure) => self.failed(&list, &failure)?,
            }
        }
        Ok(scopes)
    }

    async fn owners(&mut self, namespace: Option<&str>) -> Result<Owners, Ended> {
        let (owners, failures) = Owners::read(self.cluster, namespace).await;
        for (kind, list, failure) in failures {
            if let Failure::Away { .. } = failure {
                return Err(self.end(list.path(), &failure));
            }
            if self.unknown.insert(kind) {
                self.judge.fold.note(format!("{}; so Pods are told by their {kind}", failure.told()));
            }
        }
        Ok(owners)
    }

    async fn pods(&mut self, owners: &Owners, list: List) -> Result<(), Ended> {
        let (judge, progress) = (&mut self.judge, &mut self.progress);
        let listed = self.cluster.list(&list, |page| {
            page.items.iter().for_each(|item| judge.pod(owners, item.get()));
            let pods = judge.fold.seen();
            progress(Progress { pods, of: page.remaining().map(|remaining| pods + remaining) });
        });
        let listed = listed.await;
        self.listed(&list, listed)
    }

    async fn templates(&mut self, template: Template, list: List) -> Result<(), Ended> {
        let judge = &mut self.judge;
        let take = |page: &Page<'_>| page.items.iter().for_each(|item| judge.template(template, item.get()));
        let listed = self.cluster.list(&list, take).await;
        self.listed(&list, listed)
    }

    fn listed(&mut self, list: &List, listed: Result<Moment, Failure>) -> Result<(), Ended> {
        match listed {
            Ok(Moment::One) => Ok(()),
            Ok(Moment::Later) => {
                self.judge.fold.note(format!(
                    "the list of {} took longer than the API server remembers how it began; its rest is as of later",
                    list.resource.name
                ));
                Ok(())
            }
            Err(failure) => self.failed(list, &failure),
        }
    }

    fn end(&mut self, path: String, failure: &Failure) -> Ended {
        self.judge.fold.fail_by(path, self.namespace, failure);
        Ended
    }

    /// What is denied or refused leaves a gap; an API server that is away ends the scan.
    fn failed(&mut self, list: &List, failure: &Failure) -> Result<(), Ended> {
        if let Failure::Away { .. } = failure {
            return Err(self.end(list.path(), failure));
        }
        self.judge.fold.fail_by(list.path(), list.namespace.as_deref(), failure);
        Ok(())
    }
}
