//! Paths to try, so that whatever a set of rules decides anywhere within a scope, it decides about one of them.
//!
//! What rules say of a path follows from which patterns fit it, and for a LIST from which fit it without its last slash. A
//! pattern looks at a path segment by segment, and at a segment in two ways only: it is this text, or, at a `*`, it begins with
//! this text. So of all texts a segment could have these are enough: each literal that a pattern has at this place; each
//! text before a `*`, as it stands and with one fresh character behind it, which no pattern has anywhere; the fresh character
//! alone; and nothing, for the slash at the end. Any other text is no literal, and goes with the longest of the texts before
//! a `*` that it begins with: with the fresh character behind that, the same patterns fit.
//!
//! The walk goes down segment by segment and looks only at patterns that still fit, so that what leads to the same set of
//! them is gone through once. Where no pattern goes on, one more segment leaves all behind that end there, and nothing that
//! comes further down can change anything.
//!
//! Rules that deny for every value of a template that does not resolve are weighed by how much of the path they cover. They only
//! take away, and cover least of the shortest text: one more character behind a text meets no gap that another would not meet.
//! Where there are such rules, no two ways are taken for the same.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Policy;
use super::capability::Capability;
use super::denial::{Denial, Piece};
use super::pattern::{Pattern, Shape};
use super::rules::RulePath;
use super::template::IdentityFacts;
use crate::path::RequestPath;

/// Some paths: a pattern as a policy could have it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Scope(Pattern);

/// How much may still be tried; what is left out for want of it is told by [`Budget::is_spent`].
pub(crate) struct Budget {
    left: u64,
}

/// The patterns that paths are told apart by.
pub(crate) struct Landmarks {
    tracks: Vec<Track>,
}

/// A pattern, or a denial for every value, as a row of segments.
struct Track {
    pieces: Vec<Piece>,
    any_rest: bool,
}

/// The capabilities that operations need; `sudo` comes on top of one of them.
pub(crate) const OPERATING: [Capability; 6] =
    [Capability::Create, Capability::Read, Capability::Update, Capability::Patch, Capability::Delete, Capability::List];

impl Budget {
    /// Sets how many comparisons may be made.
    pub(crate) const fn new(comparisons: u64) -> Self {
        Self { left: comparisons }
    }

    /// Tells whether something was left out.
    pub(crate) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    fn spend(&mut self, comparisons: usize) -> bool {
        self.left = self.left.saturating_sub(comparisons as u64);
        !self.is_spent()
    }
}

impl Scope {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Answers with the reason for what a policy could not have as its path.
    pub(crate) fn parse(written: &str) -> Result<Self, String> {
        Pattern::parse(written).map(Self)
    }

    /// Writes the pattern as a policy does.
    pub(crate) fn written(&self) -> String {
        self.0.written()
    }

    /// Tells whether a request is within the scope. A LIST asks about a folder, of which a pattern without the slash speaks too.
    pub(crate) fn fits(&self, path: &str, capability: Capability) -> bool {
        let bare = path.strip_suffix('/').filter(|_| capability == Capability::List);
        self.0.matches(path) || bare.is_some_and(|bare| self.0.matches(bare))
    }
}

/// A scope, with what decisions within it depend on besides rules.
pub(crate) struct Area<'a> {
    scope: &'a Scope,
    track: Track,
    cuts: Vec<&'a Track>,
}

impl<'a> Area<'a> {
    /// Takes of `cuts` what tells paths within the scope apart.
    pub(crate) fn new(scope: &'a Scope, cuts: &'a Landmarks) -> Self {
        let track = Track::of(&scope.0);
        let cuts = cuts.tracks.iter().filter(|cut| cut.may_meet(&track)).collect();
        Self { scope, track, cuts }
    }

    /// Gives the scope.
    pub(crate) const fn scope(&self) -> &Scope {
        self.scope
    }
}

impl Policy {
    /// Lists the paths of its rules that are the same for everybody, with the capabilities that each holds back until others
    /// agree.
    pub(crate) fn plain_scopes(&self) -> impl Iterator<Item = (Scope, BTreeSet<Capability>)> {
        self.rules().iter().filter_map(|rule| {
            let RulePath::Plain(pattern) = &rule.path else { return None };
            let group = rule.control_group.as_ref();
            let held = OPERATING.into_iter().filter(|own| group.is_some_and(|group| group.over(*own).is_some()));
            Some((Scope(pattern.clone()), held.collect()))
        })
    }

    /// Lists the paths of its rules with templates, as they are written, with the values of one identity; those that do not
    /// resolve are left out.
    pub(crate) fn filled_scopes<'a>(&'a self, facts: &'a IdentityFacts) -> impl Iterator<Item = (&'a str, Scope)> {
        self.rules().iter().filter_map(|rule| match &rule.path {
            RulePath::Templated(template) => Some((template.written(), Scope(template.fill(facts)?))),
            RulePath::Plain(_) => None,
        })
    }

    /// Lists its control groups with the paths that they stand at.
    pub(crate) fn control_groups(&self) -> impl Iterator<Item = (String, &Arc<super::ControlGroup>)> {
        self.rules().iter().filter_map(|rule| match &rule.path {
            RulePath::Plain(pattern) => Some((pattern.written(), rule.control_group.as_ref()?)),
            RulePath::Templated(_) => None,
        })
    }
}

/// Names the policies that grant a capability at a path, where these policies together do: of the rules that fit, those at the
/// pattern that decides.
pub(crate) fn granting(
    policies: &[Arc<Policy>],
    facts: &IdentityFacts,
    path: &str,
    capability: Capability,
) -> BTreeSet<String> {
    let bare = path.strip_suffix('/').filter(|_| capability == Capability::List);
    let rank = |pattern: &Pattern| pattern.shape() == Shape::Exact;
    let mut best: Option<Pattern> = None;
    let mut names = BTreeSet::new();
    for policy in policies {
        for rule in policy.rules() {
            let Some(pattern) = rule.path.pattern(facts) else { continue };
            let fits = pattern.matches(path)
                || (pattern.shape() != Shape::Prefix && bare.is_some_and(|bare| pattern.matches(bare)));
            let order =
                best.as_ref().map(|best| (rank(&pattern), pattern.priority()).cmp(&(rank(best), best.priority())));
            if !fits || order.is_some_and(std::cmp::Ordering::is_lt) {
                continue;
            }
            if order.is_none_or(std::cmp::Ordering::is_gt) {
                best = Some(pattern.into_owned());
                names.clear();
            }
            if rule.capabilities.grants(capability) {
                names.insert(policy.name().to_owned());
            }
        }
    }
    names
}

impl Landmarks {
    /// Gathers the patterns of policies for one identity.
    pub(crate) fn of(policies: &[Arc<Policy>], facts: &IdentityFacts) -> Self {
        let mut patterns: BTreeSet<Pattern> = BTreeSet::new();
        let mut tracks = Vec::new();
        for rule in policies.iter().flat_map(|policy| policy.rules()) {
            match (rule.path.pattern(facts), &rule.path) {
                (Some(pattern), _) => drop(patterns.insert(pattern.into_owned())),
                (None, RulePath::Templated(template)) => tracks.push(Track::of_denial(&template.denial(facts))),
                (None, RulePath::Plain(_)) => {}
            }
        }
        tracks.extend(patterns.iter().map(Track::of));
        Self { tracks }
    }

    /// Takes patterns that are no rules.
    pub(crate) fn of_scopes(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { tracks: scopes.into_iter().map(|scope| Track::of(&scope.0)).collect() }
    }

    /// Gathers the paths of policies that differ from one identity to the next, with any value.
    pub(crate) fn of_templates(policies: &[Arc<Policy>]) -> Self {
        let nobody = IdentityFacts::default();
        let tracks = policies.iter().flat_map(|policy| policy.rules()).filter_map(|rule| match &rule.path {
            RulePath::Templated(template) => Some(Track::of_denial(&template.denial(&nobody))),
            RulePath::Plain(_) => None,
        });
        Self { tracks: tracks.collect() }
    }

    /// Tells whether some path within an area could fit one of the patterns; true in doubt.
    pub(crate) fn may_meet(&self, area: &Area<'_>) -> bool {
        self.tracks.iter().any(|track| track.may_meet(&area.track))
    }

    /// Gives paths within an area, at least one for each set of patterns that fits any path within it; none where no pattern
    /// fits any.
    pub(crate) fn witnesses(&self, area: &Area<'_>, budget: &mut Budget) -> Vec<String> {
        // Most patterns differ in their first segment, which is quickly seen.
        if !budget.spend(1 + self.tracks.len() / 16) {
            return Vec::new();
        }
        let mut tracks: Vec<&Track> = self.tracks.iter().filter(|track| track.may_meet(&area.track)).collect();
        if tracks.is_empty() {
            return Vec::new();
        }
        tracks.extend(&area.cuts);
        let fresh = fresh_character(tracks.iter().copied().chain([&area.track]));
        let has_gaps = tracks.iter().any(|track| track.pieces.iter().any(|piece| matches!(piece, Piece::Gap(_))));
        Walk { tracks, area, fresh, has_gaps, seen: HashSet::new(), found: Vec::new() }.run(budget)
    }
}

impl Track {
    fn of(pattern: &Pattern) -> Self {
        let (pieces, any_rest) = pattern.pieces();
        Self { pieces, any_rest }
    }

    fn of_denial(denial: &Denial) -> Self {
        let (pieces, any_rest) = denial.pieces();
        Self { pieces: pieces.to_vec(), any_rest }
    }

    /// Tells what stands at a place, and whether any rest follows it.
    fn at(&self, place: usize) -> Option<(&Piece, bool)> {
        Some((self.pieces.get(place)?, self.any_rest && place + 1 == self.pieces.len()))
    }

    /// Tells whether some path could fit both; true in doubt.
    fn may_meet(&self, other: &Self) -> bool {
        for place in 0.. {
            let both = match (self.at(place), other.at(place)) {
                // A LIST without its slash is one segment shorter.
                (None, _) => return other.pieces.len() <= place + 1,
                (_, None) => return self.pieces.len() <= place + 1,
                (Some(one), Some(other)) => (one, other),
            };
            let ((one, one_ends), (other, other_ends)) = both;
            let fit = match (one, other) {
                (Piece::Literal(one), Piece::Literal(other)) => match (one_ends, other_ends) {
                    (false, false) => one == other,
                    (true, false) => other.starts_with(one.as_str()),
                    (false, true) => one.starts_with(other.as_str()),
                    (true, true) => one.starts_with(other.as_str()) || other.starts_with(one.as_str()),
                },
                _ => true,
            };
            if !fit || one_ends || other_ends {
                return fit;
            }
        }
        true
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Literal(text) => vec![text.as_str()],
            Piece::Plus => Vec::new(),
            Piece::Gap(gap) => gap.texts().collect(),
        })
    }
}

/// Finds a character that stands in none of the patterns: of one byte if there is one, as longer texts cover more.
fn fresh_character<'a>(tracks: impl Iterator<Item = &'a Track>) -> char {
    let used: HashSet<char> = tracks.flat_map(|track| track.texts().flat_map(str::chars)).collect();
    let letters = ('a'..='z').rev().chain('0'..='9').chain('A'..='Z');
    let all = letters.chain(['-', '_', '~']).chain('\u{a1}'..=char::MAX);
    all.into_iter().find(|candidate| !used.contains(candidate)).unwrap_or(char::MAX)
}

/// Where a walk stands: the segments so far, and what fits them.
#[derive(Clone)]
struct Node {
    path: String,
    depth: usize,
    /// Patterns whose first segments fit all of the path; those with no more segments fit it.
    open: Vec<usize>,
    /// Patterns that fit whatever follows.
    taken: Vec<usize>,
    /// Whether whatever follows is within the scope.
    is_inside: bool,
}

/// Depth, patterns that still fit, patterns that fit whatever follows, and so on: what decides about everything further down.
type Seen = (usize, Vec<usize>, Vec<usize>, bool, String);

struct Walk<'a> {
    tracks: Vec<&'a Track>,
    area: &'a Area<'a>,
    fresh: char,
    has_gaps: bool,
    /// What was gone through already; the path only where gaps are weighed by it.
    seen: HashSet<Seen>,
    found: Vec<String>,
}

impl Walk<'_> {
    fn run(mut self, budget: &mut Budget) -> Vec<String> {
        let open = (0..self.tracks.len()).collect();
        let mut waiting = vec![Node { path: String::new(), depth: 0, open, taken: Vec::new(), is_inside: false }];
        while let Some(node) = waiting.pop() {
            self.emit(&node);
            if node.is_inside && node.open.is_empty() {
                continue;
            }
            for text in self.candidates(&node) {
                if !budget.spend(node.open.len() + 1) {
                    return self.found;
                }
                waiting.extend(self.step(&node, &text));
            }
        }
        self.found
    }

    fn emit(&mut self, node: &Node) {
        for path in [node.path.clone(), format!("{}/", node.path)] {
            let is_within = OPERATING.into_iter().any(|capability| self.area.scope.fits(&path, capability));
            if is_within && RequestPath::parse(path.as_bytes()).is_ok() {
                self.found.push(path);
            }
        }
    }

    /// Lists what the next segment could be.
    fn candidates(&self, node: &Node) -> BTreeSet<String> {
        let mut texts = BTreeSet::new();
        let mut add_beginning = |text: &str| {
            texts.insert(text.to_owned());
            texts.insert(format!("{text}{}", self.fresh));
            if self.has_gaps {
                // Where a denial is as specific as a rule, the text that comes first in order leaves most to the rule.
                texts.insert(format!("{text} "));
            }
        };
        add_beginning("");
        let scope = Some(&self.area.track).filter(|_| !node.is_inside);
        let tracks = node.open.iter().filter_map(|track| self.tracks.get(*track).copied());
        let pieces: Vec<_> = tracks.chain(scope).filter_map(|track| track.at(node.depth)).collect();
        for (piece, ends) in &pieces {
            match piece {
                Piece::Literal(text) if *ends => add_beginning(text),
                Piece::Literal(_) | Piece::Plus | Piece::Gap(_) => {}
            }
        }
        texts.extend(pieces.iter().filter_map(|(piece, _)| match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Plus | Piece::Gap(_) => None,
        }));
        // An empty segment stands only at the end, see `emit`; dots mean other paths.
        texts.retain(|text| !matches!(text.as_str(), "" | "." | ".."));
        texts
    }

    /// Goes one segment down; nowhere if that leaves the scope or was gone through.
    fn step(&mut self, node: &Node, text: &str) -> Option<Node> {
        let depth = node.depth + 1;
        let is_inside = node.is_inside
            || match fit(&self.area.track, node.depth, text) {
                Fit::Not => return None,
                Fit::Open => false,
                Fit::Taken => true,
            };
        let (mut open, mut taken) = (Vec::new(), node.taken.clone());
        for index in &node.open {
            match self.tracks.get(*index).map_or(Fit::Not, |track| fit(track, node.depth, text)) {
                Fit::Not => {}
                Fit::Open => open.push(*index),
                Fit::Taken => taken.push(*index),
            }
        }
        taken.sort_unstable();
        let path = if node.depth == 0 { text.to_owned() } else { format!("{}/{text}", node.path) };
        let told_apart_by = if self.has_gaps { path.clone() } else { String::new() };
        let is_new = self.seen.insert((depth, open.clone(), taken.clone(), is_inside, told_apart_by));
        is_new.then_some(Node { path, depth, open, taken, is_inside })
    }
}

enum Fit {
    Not,
    /// As far as the path goes.
    Open,
    /// Whatever follows.
    Taken,
}

fn fit(track: &Track, place: usize, text: &str) -> Fit {
    let fits = |piece: &Piece, any_rest: bool| match piece {
        Piece::Plus => true,
        Piece::Literal(own) if any_rest => text.starts_with(own.as_str()),
        Piece::Literal(own) => own == text,
        Piece::Gap(gap) => gap.covers(text, any_rest).is_some(),
    };
    match track.at(place) {
        Some((piece, any_rest)) if fits(piece, any_rest) => {
            if any_rest {
                Fit::Taken
            } else {
                Fit::Open
            }
        }
        _ => Fit::Not,
    }
}
