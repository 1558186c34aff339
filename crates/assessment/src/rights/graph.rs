use super::RunningAccounts;
use super::accounts::Accounts;
use super::binding::{Binding, Holder, HolderKind};
use super::power::{Power, Powers, Reach};
use super::role::Role;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::collections::VecDeque;

const ALL_ACCOUNTS: &str = "system:serviceaccounts";
/// The groups in which everyone is who is let in, service accounts too.
const EVERYONE: [&str; 2] = [ALL_ACCOUNTS, "system:authenticated"];

/// Bindings with what their roles lead to, and who holds them.
pub(crate) struct Graph<'g> {
    pub(crate) grants: Vec<Grant<'g>>,
    pub(crate) holders: Vec<&'g Holder>,
    places: HashMap<&'g Holder, u32>,
    /// Service accounts that do not exist.
    missing: HashSet<u32>,
}

/// A binding whose role is there.
pub(crate) struct Grant<'g> {
    pub(crate) binding: &'g Binding,
    pub(crate) role: &'g Role,
    /// The role's, those that it takes from others included.
    pub(crate) powers: Powers,
    named: Vec<(Power, &'g str)>,
}

/// How a holder comes by more: one step of the way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// By what a binding grants, to the rights of the next one, or to all of them.
    Grant { grant: u32, power: Power, next: Option<u32> },
    /// As a member of a group.
    Member { group: u32 },
}

impl<'g> Graph<'g> {
    pub(crate) fn new(
        roles: &(impl Iterator<Item = &'g Role> + Clone),
        bindings: impl Iterator<Item = &'g Binding>,
        accounts: &Accounts,
    ) -> Self {
        let by_name: HashMap<_, _> = roles
            .clone()
            .map(|role| ((&*role.subject.namespace, &*role.subject.name), role))
            .collect();
        let aggregated = aggregated(roles);
        let (places, missing) = (HashMap::new(), HashSet::default());
        let mut graph = Self { grants: vec![], holders: vec![], places, missing };
        for binding in bindings {
            let Some(role) = by_name.get(&(&*binding.role_namespace, &*binding.role)) else {
                continue;
            };
            let (powers, named) = aggregated.get(&role.subject.key).cloned().unwrap_or_else(|| {
                (role.powers, role.named.iter().map(|(power, name)| (*power, &**name)).collect())
            });
            graph.grants.push(Grant { binding, role, powers, named });
        }
        // In an order that does not hang on that of the objects, so that the same way is told each time.
        graph.grants.sort_by(|a, b| order(a.binding).cmp(&order(b.binding)));
        for grant in &graph.grants {
            for holder in &grant.binding.holders {
                let place = u32::try_from(graph.holders.len()).unwrap_or(u32::MAX);
                graph.places.entry(holder).or_insert_with(|| {
                    graph.holders.push(holder);
                    place
                });
            }
        }
        graph.missing = accounts.missing(&graph.holders);
        graph
    }

    /// Whether this is a service account that does not exist.
    pub(crate) fn is_missing(&self, place: u32) -> bool {
        self.missing.contains(&place)
    }

    pub(crate) fn place(&self, holder: &Holder) -> Option<u32> {
        self.places.get(holder).copied()
    }

    pub(crate) fn holder(&self, place: u32) -> &'g Holder {
        self.holders[place as usize]
    }

    pub(crate) fn grant(&self, place: u32) -> &Grant<'g> {
        &self.grants[place as usize]
    }

    /// From each holder who can come by all rights, the first step of a shortest way.
    pub(crate) fn steps(&self, running: &RunningAccounts) -> HashMap<u32, Step> {
        Search::new(self, running).run()
    }
}

impl Grant<'_> {
    pub(crate) fn is_in_cluster(&self) -> bool {
        self.binding.subject.namespace.is_empty()
    }
}

fn order(binding: &Binding) -> (&str, &str, &str) {
    let subject = &binding.subject;
    (&subject.namespace, &subject.name, &subject.kind)
}

/// Kind, namespace and name.
type Named<'g> = (HolderKind, &'g str, &'g str);
type Granted<'g> = (Powers, Vec<(Power, &'g str)>);

/// What the roles that take others' rules grant, with those.
fn aggregated<'g>(
    roles: &(impl Iterator<Item = &'g Role> + Clone),
) -> HashMap<crate::object::Key, Granted<'g>> {
    /// Most that take others' rules; a cluster has some five. Their own rules, which the API server fills, count for those beyond.
    const MOST: usize = 128;
    let taking = roles.clone().filter(|role| role.aggregates()).take(MOST);
    let granted = taking.map(|role| {
        let taken = roles.clone().filter(|other| role.takes(other)).chain([role]);
        let granted = taken.fold(Granted::default(), |(powers, mut named), other| {
            named.extend(other.named.iter().map(|(power, name)| (*power, &**name)));
            (powers.with(other.powers), named)
        });
        (role.subject.key, granted)
    });
    granted.collect()
}

/// A search from all rights backwards. Each grant is looked at once for each of its powers, so it ends in the time that reading
/// the graph takes, whatever its cycles.
struct Search<'s, 'g> {
    graph: &'s Graph<'g>,
    running: &'s RunningAccounts,
    steps: HashMap<u32, Step>,
    queue: VecDeque<u32>,
    /// Grants that lead to any account of a namespace; of the cluster where it is empty. Taken when the first account is reached.
    any_account: HashMap<&'g str, Vec<(u32, Power)>>,
    /// The same, to accounts as which something runs.
    running_account: HashMap<&'g str, Vec<(u32, Power)>>,
    /// Grants that lead to holders of a name: by kind, namespace (of accounts; empty for any) and name.
    named: HashMap<Named<'g>, Vec<(u32, Power)>>,
    /// Namespaces in which something runs as any account.
    accounts_by_namespace: HashMap<&'g str, Vec<u32>>,
}

impl<'s, 'g> Search<'s, 'g> {
    fn new(graph: &'s Graph<'g>, running: &'s RunningAccounts) -> Self {
        let mut search = Self {
            graph,
            running,
            steps: HashMap::new(),
            queue: VecDeque::new(),
            any_account: HashMap::new(),
            running_account: HashMap::new(),
            named: HashMap::new(),
            accounts_by_namespace: HashMap::new(),
        };
        for (place, holder) in (0..).zip(&graph.holders) {
            if holder.kind == HolderKind::Account {
                search.accounts_by_namespace.entry(&holder.namespace).or_default().push(place);
            }
        }
        search
    }

    fn run(mut self) -> HashMap<u32, Step> {
        let mut ends = vec![];
        for (place, grant) in (0..).zip(&self.graph.grants) {
            let scope = &*grant.binding.subject.namespace;
            for power in grant.powers.iter() {
                match power.reach(grant.is_in_cluster()) {
                    Reach::Everything => ends.push((place, power)),
                    Reach::AnyAccount => {
                        self.any_account.entry(scope).or_default().push((place, power));
                    }
                    Reach::RunningAccount => {
                        self.running_account.entry(scope).or_default().push((place, power));
                    }
                    Reach::Nobody => {}
                }
            }
            self.note_named(place, grant, &mut ends);
        }
        // Those that have all rights already come before those that take a step to them.
        ends.sort_by_key(|(_, power)| *power != Power::All);
        self.open(&ends, None);
        while let Some(place) = self.queue.pop_front() {
            self.lead_to(place);
        }
        self.steps
    }

    /// Grants over some names alone.
    fn note_named(&mut self, place: u32, grant: &Grant<'g>, ends: &mut Vec<(u32, Power)>) {
        let scope = &*grant.binding.subject.namespace;
        for (power, name) in &grant.named {
            let step = (place, *power);
            match power {
                Power::MakeTokens | Power::ImpersonateAccounts => {
                    self.named.entry((HolderKind::Account, scope, name)).or_default().push(step);
                }
                Power::Impersonate if *name == "system:masters" && scope.is_empty() => {
                    ends.push(step);
                }
                Power::Impersonate if scope.is_empty() => {
                    for kind in [HolderKind::User, HolderKind::Group] {
                        self.named.entry((kind, "", name)).or_default().push(step);
                    }
                }
                Power::Bind if *name == "cluster-admin" && scope.is_empty() => ends.push(step),
                Power::Bind if *name == "cluster-admin" => {
                    self.any_account.entry(scope).or_default().push(step);
                }
                _ => {}
            }
        }
    }

    /// Who holds any of these grants comes by the rights of the next one.
    fn open(&mut self, grants: &[(u32, Power)], next: Option<u32>) {
        for (grant, power) in grants {
            for holder in &self.graph.grant(*grant).binding.holders {
                let Some(place) = self.graph.place(holder) else { continue };
                self.reach(place, Step::Grant { grant: *grant, power: *power, next });
            }
        }
    }

    fn reach(&mut self, place: u32, step: Step) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.steps.entry(place) {
            entry.insert(step);
            self.queue.push_back(place);
        }
    }

    /// What leads to a holder who is reached.
    fn lead_to(&mut self, place: u32) {
        let holder = self.graph.holder(place);
        match holder.kind {
            HolderKind::Account => self.lead_to_account(place, &holder.namespace, &holder.name),
            HolderKind::User => self.open_named(HolderKind::User, "", &holder.name, place),
            HolderKind::Group => {
                self.open_named(HolderKind::Group, "", &holder.name, place);
                self.lead_to_group(place, &holder.name);
            }
        }
    }

    fn lead_to_account(&mut self, place: u32, namespace: &'g str, name: &'g str) {
        if self.graph.is_missing(place) {
            return self.lead_to_missing(place, namespace, name);
        }
        self.open_accounts_of(namespace, place);
        let runs = self.running.contains(&(
            crate::names::Name::clone(&self.graph.holder(place).namespace),
            crate::names::Name::clone(&self.graph.holder(place).name),
        ));
        if runs {
            self.open_running(namespace, place);
        }
        self.open_named(HolderKind::Account, namespace, name, place);
        self.open_named(HolderKind::Account, "", name, place);
    }

    /// Of those who come by any account, who comes by one that does not exist: who makes it first, or says to be it.
    fn lead_to_missing(&mut self, place: u32, namespace: &'g str, name: &'g str) {
        let graph = self.graph;
        let comes_by = |(grant, power): &(u32, Power)| match power {
            Power::MakeTokens | Power::RunPods | Power::ReadSecrets => {
                graph.grant(*grant).powers.has(Power::MakeAccounts)
            }
            _ => true,
        };
        let mut open = vec![];
        for scope in [namespace, ""] {
            let named = self.named.get_mut(&(HolderKind::Account, scope, name));
            for grants in named.into_iter().chain(self.any_account.get_mut(scope)) {
                open.extend(grants.extract_if(.., |grant| comes_by(grant)));
            }
        }
        self.open(&open, Some(place));
    }

    /// The accounts among a group's members, and who comes by any of them.
    fn lead_to_group(&mut self, place: u32, name: &'g str) {
        let namespaces: Vec<&'g str> = if EVERYONE.contains(&name) {
            let scopes = self.any_account.keys().chain(self.running_account.keys());
            let all: HashSet<_> =
                scopes.chain(self.accounts_by_namespace.keys()).copied().collect();
            let mut all: Vec<_> = all.into_iter().collect();
            all.sort_unstable();
            all
        } else {
            let namespace = name.strip_prefix(ALL_ACCOUNTS).and_then(|rest| rest.strip_prefix(':'));
            namespace.into_iter().collect()
        };
        for namespace in namespaces {
            for member in self.accounts_by_namespace.remove(namespace).unwrap_or_default() {
                self.reach(member, Step::Member { group: place });
            }
            self.open_accounts_of(namespace, place);
            self.open_running(namespace, place);
        }
    }

    fn open_accounts_of(&mut self, namespace: &str, next: u32) {
        for scope in [namespace, ""] {
            let grants = self.any_account.remove(scope).unwrap_or_default();
            self.open(&grants, Some(next));
        }
    }

    fn open_running(&mut self, namespace: &str, next: u32) {
        for scope in [namespace, ""] {
            let grants = self.running_account.remove(scope).unwrap_or_default();
            self.open(&grants, Some(next));
        }
    }

    fn open_named(&mut self, kind: HolderKind, namespace: &'g str, name: &'g str, next: u32) {
        let grants = self.named.remove(&(kind, namespace, name)).unwrap_or_default();
        self.open(&grants, Some(next));
    }
}
