use super::cache::Cache;
use super::offence::{Container, NONE, Offence, OffenceList};
use super::reduction::{self, CONTAINER_LISTS, Mentioned};
use super::stand_in;
use crate::kind::Kind;
use crate::names::{Name, Names};
use crate::object::{items, text};
use crate::{AssessmentError, Problems};
use foldhash::HashMap;
use posture::{Evaluator, Policy, PolicyFile, PolicySet, Related, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;

/// The policies that are built in, as files.
const BUILT_IN: [(&str, &str); 7] = [
    ("containers.yaml", include_str!("../../../../policies/containers.yaml")),
    ("images.yaml", include_str!("../../../../policies/images.yaml")),
    ("pods.yaml", include_str!("../../../../policies/pods.yaml")),
    ("resources.yaml", include_str!("../../../../policies/resources.yaml")),
    ("rights.yaml", include_str!("../../../../policies/rights.yaml")),
    ("services.yaml", include_str!("../../../../policies/services.yaml")),
    ("variables.yaml", include_str!("../../../../policies/variables.yaml")),
];

/// Asks the policies of objects, each look of an object once.
pub(crate) struct Examiner {
    policies: Arc<PolicySet>,
    places: HashMap<String, u16>,
    /// Policies that read no image: of workloads they are asked about what the workload may do.
    rights: Part,
    /// Policies that read images.
    images: Part,
    /// Policies that read more than the object.
    related: Evaluator,
    /// The policies are known to read no fields but those that they mention.
    reduces: bool,
    cache: Cache,
    hashes: RandomState,
}

/// Policies that are asked together.
struct Part {
    evaluator: Evaluator,
    mentioned: Mentioned,
}

impl Examiner {
    /// Policies as they stand in files; None for those that are built in.
    pub(crate) fn new(
        settings: &Settings,
        files: Option<&[PolicyFile<'_>]>,
    ) -> Result<Self, AssessmentError> {
        let built_in = BUILT_IN.map(|(name, text)| PolicyFile { name, text });
        let policies = Arc::new(PolicySet::load(files.unwrap_or(&built_in))?);
        let reads_image = |policy: &Policy| policies.mentions(&policy.name).contains("image");
        let part = |is_of: &dyn Fn(&Policy) -> bool| Part::new(&policies, settings, is_of);
        let places =
            policies.policies().zip(0..).map(|(policy, place)| (policy.name.clone(), place));
        Ok(Self {
            places: places.collect(),
            rights: part(&|policy| policy.needs.is_none() && !reads_image(policy))?,
            images: part(&|policy| policy.needs.is_none() && reads_image(policy))?,
            related: part(&|policy| policy.needs.is_some())?.evaluator,
            reduces: files.is_none(),
            cache: Cache::default(),
            hashes: RandomState::new(),
            policies,
        })
    }

    pub(crate) fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Offences of an object, of which the object itself says its `apiVersion` and `kind`: of itself, and of its images.
    pub(crate) fn examine(
        &mut self,
        kind: Kind,
        object: &Value,
        names: &mut Names,
        problems: &mut Problems,
    ) -> [Option<OffenceList>; 2] {
        let template = reduction::template(kind, object);
        let is_template = kind == Kind::Pod || kind.has_template();
        let is_reduced = self.reduces && (!is_template || template["spec"].is_object());
        let looks = |part: &Part| match kind {
            _ if !is_reduced => Mentioned::of_other(object),
            Kind::Service => part.mentioned.of_service(object),
            _ if is_template => part.mentioned.of_template(kind, text(object, "kind"), object),
            _ => Mentioned::of_other(object),
        };
        let volumes: Vec<_> =
            items(&template["spec"], "volumes").iter().map(|volume| text(volume, "name")).collect();
        let looks = [(&self.rights, looks(&self.rights)), (&self.images, looks(&self.images))];
        let mut asked = [None, None];
        for ((place, (part, looks)), slot) in looks.iter().enumerate().zip(&mut asked) {
            let hash = self.hash(place, looks);
            let list = if let Some(list) = self.cache.get(hash) {
                list
            } else {
                let related = Related::default();
                let offences = ask(&part.evaluator, looks, &related, &self.places, names);
                self.cache.put(hash, offences)
            };
            *slot = Some(self.cache.specific(list, &volumes, names));
        }
        let lists = asked.iter().flatten().flat_map(|list| list.iter());
        problems.unanswered += lists.filter(|offence| offence.policy == NONE).count() as u64;
        asked
    }

    /// Offences of a Service beside others of its namespace with the same selector, by their names.
    pub(crate) fn examine_beside(
        &mut self,
        others: Vec<String>,
        names: &mut Names,
    ) -> Option<OffenceList> {
        if others.is_empty() {
            return None;
        }
        let object = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": stand_in::OBJECT, "namespace": stand_in::NAMESPACE}});
        let related = Related { services_with_same_selector: Some(others) };
        let offences = ask(&self.related, &object, &related, &self.places, names);
        Some(self.cache.shared(offences))
    }

    fn hash(&self, place: usize, looks: &Value) -> u64 {
        let mut hash = HashWriter(self.hashes.build_hasher());
        hash.0.write_usize(place);
        // Neither the writer nor maps with text keys can fail.
        let written = serde_json::to_writer(&mut hash, looks);
        debug_assert!(written.is_ok(), "{written:?}");
        hash.0.finish()
    }
}

impl Part {
    /// The policies for which `is_of` holds, with their settings.
    fn new(
        policies: &Arc<PolicySet>,
        settings: &Settings,
        is_of: &dyn Fn(&Policy) -> bool,
    ) -> Result<Self, AssessmentError> {
        let mut settings = settings.clone();
        let mut mentioned = BTreeSet::new();
        for policy in policies.policies() {
            if is_of(policy) {
                mentioned.extend(policies.mentions(&policy.name));
            } else {
                settings.entry(policy.name.clone()).or_default().disabled = true;
            }
        }
        let evaluator = Evaluator::new(Arc::clone(policies), &settings)?;
        Ok(Self { evaluator, mentioned: Mentioned(mentioned) })
    }
}

fn ask(
    evaluator: &Evaluator,
    object: &Value,
    related: &Related,
    places: &HashMap<String, u16>,
    names: &mut Names,
) -> Vec<Offence> {
    let report = evaluator.evaluate(object, related);
    let mut offences = vec![];
    for finding in &report.findings {
        let told = match &finding.evidence {
            Some(evidence) => {
                let evidence = image_stand_in(&finding.offender, evidence, object);
                names.of(&format!("{} ({evidence})", finding.offender))
            }
            None => names.of(&finding.offender),
        };
        let policy = places.get(finding.policy).copied().unwrap_or(NONE);
        let validation = u16::try_from(finding.validation).unwrap_or(u16::MAX);
        offences.push(Offence { policy, validation, told });
    }
    for error in &report.errors {
        let told = format!("{}: {}", error.policy.unwrap_or("all policies"), error.reason);
        offences.push(Offence { policy: NONE, validation: 0, told: names.of(&told) });
    }
    if report.more_findings > 0 {
        let told = format!("more offenders: {} are not told one by one", report.more_findings);
        offences.push(Offence { policy: NONE, validation: 0, told: names.of(&told) });
    }
    offences
}

/// Evidence that is the image of the container that offends, as a stand-in for it.
fn image_stand_in(offender: &str, evidence: &str, object: &Value) -> String {
    let number = offender.strip_prefix(stand_in::CONTAINER);
    let number = number.and_then(|rest| rest.strip_suffix(stand_in::END));
    let Some(number) = number.and_then(|number| number.parse().ok()) else {
        return evidence.to_owned();
    };
    let kind = Kind::of(text(object, "apiVersion"), text(object, "kind")).unwrap_or(Kind::Pod);
    let container = containers_of(kind, object).nth(number);
    if container.is_some_and(|container| container["image"] == evidence) {
        return stand_in::numbered(stand_in::IMAGE, number);
    }
    evidence.to_owned()
}

fn containers_of(kind: Kind, object: &Value) -> impl Iterator<Item = &Value> {
    let spec = &reduction::template(kind, object)["spec"];
    CONTAINER_LISTS.into_iter().flat_map(move |list| items(spec, list))
}

/// The containers in the order of their numbers.
pub(crate) fn containers(kind: Kind, object: &Value, names: &mut Names) -> Arc<[Container]> {
    let container = |container| Container {
        name: names.of(text(container, "name")),
        image: names.of(text(container, "image")),
    };
    containers_of(kind, object).map(container).collect()
}

impl Cache {
    /// The list with the names of volumes in it, which differ between objects that look alike.
    fn specific(&mut self, list: OffenceList, volumes: &[&str], names: &mut Names) -> OffenceList {
        if !list.iter().any(|offence| offence.told.contains(stand_in::VOLUME)) {
            return list;
        }
        let mut told = |offence: &Offence| -> Name {
            names.of(&reduction::with_volumes(&offence.told, volumes))
        };
        let offences = list.iter();
        let offences = offences.map(|offence| Offence { told: told(offence), ..offence.clone() });
        let offences = offences.collect();
        self.shared(offences)
    }
}

/// Hashes what is written to it.
struct HashWriter<H>(H);

impl<H: Hasher> io::Write for HashWriter<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
