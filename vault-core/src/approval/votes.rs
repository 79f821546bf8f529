//! What people say of a request: yes, no, a remark; and taking it back.

use std::cell::OnceCell;

use super::asker::Asker;
use super::counted::Counted;
use super::delegation::{InHand, in_hand};
use super::ended::remove;
use super::held::{COMMENTS_MAX, Comment, HeldRequest, State, VOTES_MAX, Vote, Weight};
use super::hold::not_there;
use super::human::Human;
use super::issuer::check_own_login;
use super::judge::{Judge, Standing};
use super::statement::{APPROVAL_PAYLOAD_TYPE, DENIAL_PAYLOAD_TYPE, TEXT_LENGTH_BYTES_MAX};
use super::tell::tell;
use crate::auth::token::{self, Issuers};
use crate::engines::{Call, Change};
use crate::envelope::Envelope;
use crate::identity::{self, Entity};
use crate::limits;
use crate::names::Names;
use crate::notice::Event;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

/// Somebody at a request.
pub(crate) struct Visitor<'a> {
    call: &'a Call<'a>,
    entity: &'a Entity,
    human: Human,
    /// Votes that were handed to them, once they were read: a list of requests asks for each of them.
    in_hand: OnceCell<Vec<InHand>>,
}

/// What somebody is to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// They asked.
    Requester,
    /// The login that asked came through their hands, so that they could have asked by it.
    Issuer,
    /// Their vote counts.
    Approver,
    /// They hold the vote of somebody whose vote counts.
    Delegate,
    /// Their vote is kept and does not count.
    Trainee,
}

/// A request to which somebody has said yes.
pub(crate) struct Agreed {
    /// The request with their vote.
    pub(crate) held: HeldRequest,
    /// Where it stands with it.
    pub(crate) standing: Standing,
    /// Whether it was this vote that it waited for.
    pub(crate) completes: bool,
    /// What is counted of it.
    pub(crate) counted: Option<Counted>,
    /// What is stored of it.
    pub(crate) changes: Vec<Change>,
}

impl<'a> Visitor<'a> {
    /// Finds out who calls.
    ///
    /// # Errors
    /// Refuses a token that says nothing of its owner.
    pub(crate) fn of(call: &'a Call<'a>) -> Result<Self, Refusal> {
        let entity = call.identity()?.entity();
        let entity =
            entity.ok_or_else(|| Refusal::denied_because("your token says nothing of who you are: log in first"))?;
        let judge = Judge { tables: call.tables, names: call.names, now: call.now };
        Ok(Self { call, entity, human: Human::of(entity, judge.charter()), in_hand: OnceCell::new() })
    }

    pub(super) const fn judge(&self) -> Judge<'a> {
        Judge { tables: self.call.tables, names: self.call.names, now: self.call.now }
    }

    pub(super) const fn call(&self) -> &'a Call<'a> {
        self.call
    }

    pub(super) const fn human(&self) -> &Human {
        &self.human
    }

    pub(super) const fn entity(&self) -> &'a Entity {
        self.entity
    }

    /// Tells what the caller is to a request; `None` for somebody whom it does not concern.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub(crate) fn part(&self, held: &HeldRequest, view: &mut View) -> Result<Option<Part>, Interrupt> {
        if self.is_requester(held) {
            return Ok(Some(Part::Requester));
        }
        if self.judge().has_issued(held, &self.human, view)? {
            return Ok(Some(Part::Issuer));
        }
        if self.judge().may_approve(held, self.entity, view)? {
            return Ok(Some(Part::Approver));
        }
        if self.vote_in_hand(held, view)?.is_some() {
            return Ok(Some(Part::Delegate));
        }
        Ok(self.judge().is_in_training(held, self.entity).then_some(Part::Trainee))
    }

    /// Notes down whom [`Self::part`] will look for, so that one round fetches all of them.
    pub(crate) fn prefetch<'r>(&self, requests: impl IntoIterator<Item = &'r HeldRequest>, view: &mut View) {
        let behind = |held: &'r HeldRequest| {
            let hands = held.requester.issued_by.iter().flat_map(Issuers::hands).map(|hand| hand.entity);
            hands.chain([held.requester.entity])
        };
        identity::prefetch_found(self.call.names, requests.into_iter().flat_map(behind), view);
    }

    /// Finds a delegation whose giver counts for a request.
    fn vote_in_hand(&self, held: &HeldRequest, view: &mut View) -> Result<Option<&InHand>, Interrupt> {
        let path = held.stated()?.path;
        for found in self.votes_in_hand(view)?.iter().filter(|found| found.covers(&path)) {
            let Some(giver) = identity::find(self.call.names, found.stored.giver, view)? else { continue };
            if !giver.disabled && self.judge().may_approve(held, &giver, view)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn votes_in_hand(&self, view: &mut View) -> Result<&[InHand], Interrupt> {
        if let Some(found) = self.in_hand.get() {
            return Ok(found);
        }
        let found = in_hand(self.call.names, &self.human, self.call.now, view)?;
        identity::prefetch_found(self.call.names, found.iter().map(|found| found.stored.giver), view);
        Ok(self.in_hand.get_or_init(|| found))
    }

    fn is_requester(&self, held: &HeldRequest) -> bool {
        self.human == held.requester.human || self.entity.id == held.requester.entity
    }

    /// Finds an open request that concerns the caller.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses with one answer whatever is not there for the caller.
    pub(crate) fn open(&self, id: &str, view: &mut View) -> Result<(HeldRequest, Part), Interrupt> {
        let held = HeldRequest::read(self.call.names, id, view)?.ok_or_else(not_there)?;
        let part = self.part(&held, view)?.ok_or_else(not_there)?;
        if held.is_open(self.call.now) {
            return Ok((held, part));
        }
        Err(Refusal::invalid(format!("the request is {}", held.word(self.call.now))).into())
    }

    /// Says yes.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses the requester and whoever is to them as one human, and an
    /// approval that is not signed by the caller over this very request.
    pub(crate) fn approve(&self, id: &str, envelope: Option<&str>, view: &mut View) -> Result<Agreed, Interrupt> {
        let (mut held, part) = self.open(id, view)?;
        limits::check_pending(self.call, &held)?;
        if part == Part::Requester || self.is_of_requester(&held, view)? {
            return Err(Refusal::denied_because("you asked for this: others must agree to it").into());
        }
        if part == Part::Issuer {
            let text = "you handed out the login that asks: others must agree to what it asks for";
            return Err(Refusal::denied_because(text).into());
        }
        self.check_vote(view)?;
        let is_training = part == Part::Trainee;
        let key = match envelope {
            None if is_training => None,
            _ => self.key_of_signer(&held, APPROVAL_PAYLOAD_TYPE, envelope)?,
        };
        let (weight, mut changes) = self.weight(&held, part, view)?;
        changes.extend(self.counted(view)?);
        let vote = Vote {
            human: self.human.clone(),
            entity: self.entity.id,
            name: self.entity.name.clone(),
            at: self.call.now,
            weight,
            key,
            envelope: envelope.map(str::to_owned),
        };
        let was_approved = self.judge().judge(&held, view)?.is_approved;
        let is_first = !held.votes.iter().any(|other| other.human == vote.human && other.weight != Weight::Training);
        held.votes.retain(|other| other.human != vote.human);
        if held.votes.len() >= VOTES_MAX {
            return Err(Refusal::invalid("the request has as many votes as are kept").into());
        }
        held.votes.push(vote);
        let standing = self.judge().judge(&held, view)?;
        changes.push(held.store(self.call.names)?);
        let completes = standing.is_approved && !was_approved;
        let counted = Counted::approved(&held, &self.human, (is_first, completes));
        Ok(Agreed { completes, counted, held, standing, changes })
    }

    /// Counts an approval under the limits on them.
    fn counted(&self, view: &mut View) -> Result<Vec<Change>, Interrupt> {
        let subject = limits::Subject::named(self.human.key(), &self.entity.name);
        limits::count(self.call, (limits::Metric::ApprovalsPerDay, ""), &subject, view)
    }

    /// Says what the caller's vote is worth, and gives the change that spends a use of a delegation.
    fn weight(&self, held: &HeldRequest, part: Part, view: &mut View) -> Result<(Weight, Vec<Change>), Interrupt> {
        match part {
            Part::Trainee => Ok((Weight::Training, Vec::new())),
            Part::Requester | Part::Issuer | Part::Approver => Ok((Weight::Full, Vec::new())),
            Part::Delegate => {
                let earlier = held.votes.iter().find(|vote| vote.human == self.human);
                if let Some(Vote { weight: weight @ Weight::Delegated { .. }, .. }) = earlier {
                    return Ok((weight.clone(), Vec::new()));
                }
                let InHand { id, mut stored, giver: from, .. } =
                    self.vote_in_hand(held, view)?.cloned().ok_or_else(not_there)?;
                stored.uses_left = stored.uses_left.saturating_sub(1);
                let change = stored.store(self.call.names, &id)?;
                Ok((Weight::Delegated { from, delegation: id }, vec![change]))
            }
        }
    }

    /// Says no, which ends the request.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses who may not say yes either.
    pub(crate) fn deny(
        &self,
        id: &str,
        reason: &str,
        envelope: Option<&str>,
        view: &mut View,
    ) -> Result<(HeldRequest, Vec<Change>, Counted), Interrupt> {
        let (mut held, part) = self.open(id, view)?;
        if !matches!(part, Part::Approver | Part::Delegate) {
            return Err(Refusal::denied_because("only who may approve a request may deny it").into());
        }
        self.check_vote(view)?;
        let reason = checked_text(reason, "a denial needs a reason, for the one who asked")?;
        if envelope.is_some() || self.call.tables.is_in_service() {
            self.key_of_signer(&held, DENIAL_PAYLOAD_TYPE, envelope)?;
        }
        let (by, at) = (self.entity.name.clone(), self.call.now);
        held.state = State::Denied { by: by.clone(), at, reason: reason.to_owned() };
        let stated = held.stated()?;
        let mut asker = Asker::read(self.call.names, &held.requester.human, view)?;
        asker.deny(&held.id, (&stated.operation, &stated.path), (&by, reason), at);
        let mut changes = take_away(self.call.names, &held, view)?;
        changes.extend(remove(self.call.names, asker.let_go(at)));
        changes.push(asker.store(self.call.names, &held.requester.human)?);
        changes.push(held.store(self.call.names)?);
        changes.extend(tell(self.call, &held, Event::Denied)?);
        let counted = Counted::denied(&held.id, &self.human);
        Ok((held, changes, counted))
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses who may not.
    pub(crate) fn cancel(&self, id: &str, view: &mut View) -> Result<(HeldRequest, Vec<Change>), Interrupt> {
        let (mut held, part) = self.open(id, view)?;
        let approvers_may = held.rules.iter().all(|rule| rule.approvers_may_cancel);
        if part != Part::Requester && !(part == Part::Approver && approvers_may) {
            return Err(Refusal::denied_because("only its requester may take this request back").into());
        }
        if part == Part::Approver {
            self.check_vote(view)?;
        }
        held.state = State::Cancelled { by: self.entity.name.clone(), at: self.call.now };
        let mut changes = close(self.call, &held, view)?;
        changes.push(held.store(self.call.names)?);
        changes.extend(tell(self.call, &held, Event::Cancelled)?);
        Ok((held, changes))
    }

    /// Remarks something.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses whom the request does not concern.
    pub(crate) fn comment(&self, id: &str, text: &str, view: &mut View) -> Result<HeldRequest, Interrupt> {
        let (mut held, _) = self.open(id, view)?;
        if held.comments.len() >= COMMENTS_MAX {
            return Err(Refusal::invalid(format!("a request has at most {COMMENTS_MAX} comments")).into());
        }
        let text = checked_text(text, "a comment says something")?.to_owned();
        held.comments.push(Comment { by: self.entity.name.clone(), at: self.call.now, text });
        Ok(held)
    }

    /// Checks that the caller's vote is their own: nobody else made their token, nor handed its login out.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses other tokens.
    pub(super) fn check_vote(&self, view: &mut View) -> Result<(), Interrupt> {
        check_voice(self.call, &self.human, view)?;
        Ok(check_own_login(self.call)?)
    }

    /// Finds the key with which the caller has signed. In service there must be one.
    fn key_of_signer(
        &self,
        held: &HeldRequest,
        payload_type: &'static str,
        envelope: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let Some(envelope) = envelope else {
            let text =
                "in service what people say is signed with their key of the charter: keyturn approve, keyturn deny";
            return if self.call.tables.is_in_service() { Err(Refusal::invalid(text)) } else { Ok(None) };
        };
        let charter = self.judge().charter();
        let charter = charter.ok_or_else(|| Refusal::invalid("this vault has no charter that knows a key"))?;
        let invalid = |error: crate::envelope::EnvelopeError| Refusal::invalid(error.to_string());
        let envelope = Envelope::parse(envelope.as_bytes()).map_err(invalid)?;
        if envelope.payload() != held.statement.as_bytes() {
            return Err(Refusal::invalid("what is signed is not this request as it stands: look at it again"));
        }
        let signers = envelope.signers(payload_type, charter).map_err(invalid)?;
        let people: Vec<_> = signers.iter().filter_map(|index| charter.person(index)).collect();
        match people.as_slice() {
            [only] if Some(only.name.as_str()) == self.human.person() => Ok(Some(only.signing_key.to_string())),
            _ => Err(Refusal::invalid("the signature is not that of the person whose token this is")),
        }
    }

    /// Tells whether the caller's token descends from the requester's: a token of one's own making is no second person.
    fn is_of_requester(&self, held: &HeldRequest, view: &mut View) -> Result<bool, Interrupt> {
        let made_by = self.call.finder().makers(self.call.identity()?.token(), view)?;
        for entity in made_by {
            let Some(entity) = identity::find(self.call.names, entity, view)? else { continue };
            if entity.id == held.requester.entity || Human::of(&entity, self.judge().charter()) == held.requester.human
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Checks that whoever calls made their token themselves: with one that somebody else made for them, that other human would
/// speak with two voices.
///
/// # Errors
/// Stops when something must be fetched first; refuses a token that somebody else made, and one that does not tell.
pub(super) fn check_voice(call: &Call<'_>, human: &Human, view: &mut View) -> Result<(), Interrupt> {
    let token = call.identity()?.token();
    if token.kind == token::Kind::Batch && token.parent.is_none() && token.mount.is_none() {
        return Err(Refusal::denied_because("this batch token does not tell who made it: log in and try again").into());
    }
    let judge = Judge { tables: call.tables, names: call.names, now: call.now };
    for maker in call.finder().makers(token, view)? {
        let maker = identity::find(call.names, maker, view)?;
        if maker.is_none_or(|maker| Human::of(&maker, judge.charter()) != *human) {
            let text = "somebody else made this token, who has a voice of their own: log in and try again";
            return Err(Refusal::denied_because(text).into());
        }
    }
    Ok(())
}

/// Gives the changes that end a request for its requester: nothing of it can be used, and it is open no more.
///
/// # Errors
/// Stops when something must be fetched first.
pub(super) fn close(call: &Call<'_>, held: &HeldRequest, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let mut asker = Asker::read(call.names, &held.requester.human, view)?;
    asker.close(&held.id, call.now);
    let mut changes = take_away(call.names, held, view)?;
    changes.extend(remove(call.names, asker.let_go(call.now)));
    changes.push(asker.store(call.names, &held.requester.human)?);
    Ok(changes)
}

/// Gives the changes that remove the wrapping token and the kept request.
pub(super) fn take_away(names: &Names, held: &HeldRequest, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let found = token::read(&held.wrapping.slot(names), view)?;
    Ok(found.map(|(token, _)| token::revoke(names, &held.wrapping, &token)).unwrap_or_default())
}

fn checked_text<'t>(text: &'t str, empty: &str) -> Result<&'t str, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::invalid(empty));
    }
    if text.len() > TEXT_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a text has at most {TEXT_LENGTH_BYTES_MAX} bytes")));
    }
    Ok(text)
}
