//! The trust score against attacks: what each gains, what it costs, and how far from the truth it gets.
//!
//! Everything is simulated but the scores: agents with a true chance of doing what they are paid for,
//! who sign real attestations, which are admitted by the rules that hold everywhere. The same events go
//! to KAMN's own formula, which admits all of them. The same seed gives the same figures.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use tau_kamn::{
    AgentDid, KamnDid, PublicKey, SigningKey,
    attest::{Attestation, Book, Dealing, Dealings, Kind, Policy},
    signers::Signers,
    time::Timestamp,
    trust::{
        DEFAULT_SCORE, Gates,
        v2::{self, Record},
        v3,
    },
};

/// What is simulated.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where randomness begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many honest agents there are.
    #[arg(long, default_value_t = 40)]
    agents: usize,
    /// How many tasks each of them is paid for.
    #[arg(long, default_value_t = 30)]
    tasks: u64,
}

const START_MS: u64 = 1_770_000_000_000;
const BLOCK_MS: u64 = 12_000;
/// The chance that those who attack do what they are paid for.
const BAD: f64 = 0.3;
/// What an answer takes, in milliseconds: everybody is in the same class.
const RESPONSE_MS: u64 = 3_000;

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    honest(args)?;
    println!(
        "\n{:<10} {:>8} {:>12} {:>12}  what it cost",
        "attack", "deserved", "v2", "v3"
    );
    ring(args)?;
    sybils(args)?;
    wash_trade(args)?;
    whitewash(args)?;
    slander(args)?;
    traitor(args)?;
    Ok(())
}

/// How far the scores of honest agents are from what they deserve.
fn honest(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    let agents = population(&mut world, args)?;
    let mut errors = (0.0, 0.0);
    let mut misjudged = (0, 0);
    for (agent, chance) in &agents {
        let truth = deserved(*chance);
        let (v2, v3) = (world.v2(*agent)?, world.v3(*agent));
        errors.0 += (f64::from(v2) - truth).abs();
        errors.1 += (f64::from(v3) - truth).abs();
        let gate = f64::from(Gates::default().escrow);
        misjudged.0 += usize::from((f64::from(v2) >= gate) != (truth >= gate));
        misjudged.1 += usize::from((f64::from(v3) >= gate) != (truth >= gate));
    }
    let count = agents.len() as f64;
    println!(
        "{} honest agents, {} tasks each, seed {}: {} attestations admitted, {} refused",
        agents.len(),
        args.tasks,
        args.seed,
        world.book.admitted().len(),
        world.refused
    );
    println!(
        "mean error in points: v2 {:.1}, v3 {:.1}; on the wrong side of {} for an escrow: v2 {}, v3 {}",
        errors.0 / count,
        errors.1 / count,
        Gates::default().escrow,
        misjudged.0,
        misjudged.1
    );
    Ok(())
}

/// Ten bad agents who endorse each other.
fn ring(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    population(&mut world, args)?;
    let ring = (0..10).map(|_| world.agent()).collect::<Result<Vec<_>>>()?;
    let target = ring[0];
    world.work(target, BAD, args.tasks)?;
    let before = world.scores(target)?;
    for by in &ring {
        for of in &ring {
            if by != of {
                world.say(endorsement(), *by, *of, None)?;
            }
        }
    }
    world.report(
        "ring",
        target,
        (BAD, before),
        "10 identities, 90 endorsements",
    )
}

/// A hundred identities that do nothing but endorse one.
fn sybils(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    population(&mut world, args)?;
    let target = world.agent()?;
    world.work(target, BAD, args.tasks)?;
    let before = world.scores(target)?;
    for _ in 0..100 {
        let sybil = world.agent()?;
        world.say(endorsement(), sybil, target, None)?;
    }
    let cost = "101 identities, 100 endorsements";
    world.report("sybils", target, (BAD, before), cost)
}

/// An agent who pays itself, through an identity of its own, for tasks that nobody did.
fn wash_trade(args: &Args) -> Result<()> {
    for tasks in [30, 100, 300] {
        let mut world = World::new(args.seed);
        population(&mut world, args)?;
        let target = world.agent()?;
        world.work(target, BAD, args.tasks)?;
        let before = world.scores(target)?;
        let payer = world.agent()?;
        for _ in 0..tasks {
            world.deal(payer, target, true)?;
        }
        let cost = format!("2 identities, {tasks} escrows funded and released to oneself");
        world.report(&format!("wash {tasks}"), target, (BAD, before), &cost)?;
    }
    Ok(())
}

/// A bad agent who begins again under another name.
fn whitewash(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    population(&mut world, args)?;
    let old = world.agent()?;
    world.work(old, 0.1, args.tasks)?;
    let before = world.scores(old)?;
    let new = world.agent()?;
    let gate = Gates::default().escrow;
    let passes = world.v3(new) >= gate;
    let cost = format!(
        "1 identity, and a name without history: {DEFAULT_SCORE}, which {} {gate} for an escrow",
        if passes { "reaches" } else { "does not reach" }
    );
    world.report("whitewash", new, (0.1, before), &cost)
}

/// Strangers who file disputes against a good agent.
fn slander(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    population(&mut world, args)?;
    let target = world.agent()?;
    world.work(target, 0.95, args.tasks)?;
    let (before, refused) = (world.scores(target)?, world.refused);
    for n in 0..20 {
        let stranger = world.agent()?;
        let dispute = Kind::DisputeOpened {
            reason: "bad".into(),
        };
        world.say(dispute, stranger, target, Some(format!("none/{n}")))?;
        let upheld = Kind::DisputeResolved { is_upheld: true };
        world.say(upheld, stranger, target, Some(format!("none/{n}")))?;
    }
    let cost = format!(
        "20 identities, 40 statements of which {} were refused",
        world.refused - refused
    );
    world.report("slander", target, (0.95, before), &cost)
}

/// A good agent who turns: how long its name carries it.
fn traitor(args: &Args) -> Result<()> {
    let mut world = World::new(args.seed);
    population(&mut world, args)?;
    let target = world.agent()?;
    world.work(target, 0.98, 100)?;
    let before = world.scores(target)?;
    let gate = Gates::default().escrow;
    let (mut until_v2, mut until_v3) = (None, None);
    for failures in 1..=400_u32 {
        let payer = world.payer();
        world.deal(payer, target, false)?;
        if until_v3.is_none() && world.v3(target) < gate {
            until_v3 = Some(failures);
        }
        if until_v2.is_none() && world.v2(target)? < gate {
            until_v2 = Some(failures);
        }
        if until_v2.is_some() && until_v3.is_some() {
            break;
        }
    }
    let shown = |until: Option<u32>| until.map_or("more than 400".into(), |n| n.to_string());
    let cost = format!(
        "100 tasks done well; failures until below {gate}: {} (v2), {} (v3)",
        shown(until_v2),
        shown(until_v3)
    );
    world.report("traitor", target, (0.0, before), &cost)
}

/// Honest agents who pay each other, each with a chance of doing what it is paid for.
fn population(world: &mut World, args: &Args) -> Result<Vec<(usize, f64)>> {
    let mut agents = Vec::new();
    for _ in 0..args.agents.max(2) {
        let chance = 0.3 + 0.7 * world.random.unit();
        agents.push((world.agent()?, chance));
    }
    world.honest = agents.len();
    for (agent, chance) in &agents {
        world.work(*agent, *chance, args.tasks)?;
        let endorser = world.payer();
        if endorser != *agent && *chance > 0.7 {
            world.say(endorsement(), endorser, *agent, None)?;
        }
    }
    Ok(agents)
}

/// What a chance of success comes to after endless tasks, but for volume and endorsements.
fn deserved(chance: f64) -> f64 {
    let response = 50.0;
    500.0 + 200.0 * (2.0 * chance - 1.0) + response
}

fn endorsement() -> Kind {
    Kind::Endorsement {
        note: "good".into(),
    }
}

struct Agent {
    did: AgentDid,
    key: SigningKey,
    /// What KAMN's own formula keeps of it.
    record: Record,
}

/// Everybody, and what was said.
struct World {
    random: Random,
    agents: Vec<Agent>,
    /// How many of them are honest: the first ones.
    honest: usize,
    keys: Keys,
    deals: Deals,
    book: Book,
    height: u64,
    said: u64,
    refused: usize,
}

#[derive(Default)]
struct Keys(BTreeMap<KamnDid, PublicKey>);

impl Signers for Keys {
    fn signing_key(&self, did: &KamnDid, _created_ms: u64, _seen_ms: u64) -> Option<PublicKey> {
        self.0.get(did).copied()
    }
}

#[derive(Default)]
struct Deals(BTreeMap<String, Dealing>);

impl Dealings for Deals {
    fn dealing(&self, reference: &str) -> Option<Dealing> {
        self.0.get(reference).cloned()
    }
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            agents: Vec::new(),
            honest: 0,
            keys: Keys::default(),
            deals: Deals::default(),
            book: Book::new(),
            height: 1,
            said: 0,
            refused: 0,
        }
    }

    fn agent(&mut self) -> Result<usize> {
        let mut seed = [0; 32];
        for part in seed.chunks_exact_mut(8) {
            part.copy_from_slice(&self.random.next().to_le_bytes());
        }
        let key = SigningKey::from_seed(&seed);
        let did = AgentDid::new("agent", &key.public_key())?;
        self.keys.0.insert(did.as_did().clone(), key.public_key());
        let record = Record::new(did.clone());
        self.agents.push(Agent { did, key, record });
        Ok(self.agents.len() - 1)
    }

    /// Somebody honest.
    fn payer(&mut self) -> usize {
        let honest = self.honest.max(1) as u64;
        usize::try_from(self.random.next() % honest).unwrap_or(0)
    }

    /// Tasks that honest agents pay for, each done with that chance.
    fn work(&mut self, agent: usize, chance: f64, tasks: u64) -> Result<()> {
        for _ in 0..tasks {
            let mut payer = self.payer();
            if payer == agent {
                payer = (payer + 1) % self.honest.max(2);
            }
            let is_done = self.random.unit() < chance;
            self.deal(payer, agent, is_done)?;
        }
        Ok(())
    }

    /// One task, and what its payer says of it.
    fn deal(&mut self, payer: usize, payee: usize, is_done: bool) -> Result<()> {
        let reference = format!("deal/{}", self.said);
        let dealing = Dealing {
            payer: self.agents[payer].did.as_did().clone(),
            payee: self.agents[payee].did.as_did().clone(),
            arbiter: None,
            lost: None,
        };
        self.deals.0.insert(reference.clone(), dealing);
        let response_ms = RESPONSE_MS;
        let kind = if is_done {
            Kind::TaskCompleted { response_ms }
        } else {
            Kind::TaskFailed { response_ms }
        };
        self.say(kind, payer, payee, Some(reference))
    }

    /// One statement, signed; refused or not, time goes on.
    fn say(&mut self, kind: Kind, by: usize, of: usize, reference: Option<String>) -> Result<()> {
        self.said += 1;
        // Four statements a block.
        if self.said.is_multiple_of(4) {
            self.height += 1;
        }
        let now_ms = START_MS + self.said * 60_000;
        let attestation = Attestation {
            kind: kind.clone(),
            subject: self.agents[of].did.clone(),
            issuer: self.agents[by].did.clone(),
            reference: reference.unwrap_or_else(|| format!("word/{}", self.said)),
            height: self.height,
            created: Timestamp::from_unix_ms(now_ms)?,
            expires: Timestamp::from_unix_ms(now_ms + BLOCK_MS)?,
            nonce: self.said,
        };
        let id = attestation.reference.clone();
        let signed = attestation.sign(&self.agents[by].key)?;
        let now = (now_ms, self.height);
        let admitted = self
            .book
            .admit(signed, &self.keys, &self.deals, &Policy::default(), now);
        self.refused += usize::from(admitted.is_err());
        self.record(kind, by, of, id)
    }

    /// The same for KAMN's formula, which asks for no proof.
    fn record(&mut self, kind: Kind, by: usize, of: usize, id: String) -> Result<()> {
        let from = self.agents[by].did.to_string();
        let height = self.height;
        let event = match kind {
            Kind::TaskCompleted { response_ms } => v2::Event::Completed {
                response_ms,
                earned: 0,
            },
            Kind::TaskFailed { response_ms } => v2::Event::Failed { response_ms },
            Kind::Endorsement { note } => v2::Event::Endorsed(v2::Endorsement {
                id,
                from,
                note,
                height,
            }),
            Kind::DisputeOpened { reason } => v2::Event::Disputed(v2::Dispute {
                id,
                opened_by: from,
                reason,
                height,
            }),
            Kind::TaskDelegated | Kind::DisputeResolved { .. } | Kind::Capability { .. } => {
                return Ok(());
            }
        };
        let agent = &mut self.agents[of];
        agent.record = agent.record.apply(event, height)?;
        Ok(())
    }

    fn v2(&self, agent: usize) -> Result<u16> {
        let score = self.agents[agent].record.computed();
        Ok(score.context("more disputes than tasks")?.score)
    }

    fn v3(&self, agent: usize) -> u16 {
        let score: v3::Score = self.book.score(&self.agents[agent].did, self.height);
        score.score
    }

    fn scores(&self, agent: usize) -> Result<(u16, u16)> {
        Ok((self.v2(agent)?, self.v3(agent)))
    }

    /// One line: what the agent deserves by its chance, and its scores before and after.
    fn report(
        &self,
        name: &str,
        agent: usize,
        (chance, before): (f64, (u16, u16)),
        cost: &str,
    ) -> Result<()> {
        let after = self.scores(agent)?;
        let moved = |from: u16, to: u16| format!("{from} -> {to}");
        println!(
            "{name:<10} {:>8.0} {:>12} {:>12}  {cost}",
            deserved(chance),
            moved(before.0, after.0),
            moved(before.1, after.1)
        );
        Ok(())
    }
}

/// `SplitMix64`: the same seed gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not, 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
