//! What a record says of the people who agreed to a request: enough to check their signatures from the log alone.

use super::line::Line;
use crate::approval::{HeldRequest, Weight};

pub(super) fn write_grant(line: &mut Line, held: &HeldRequest) {
    line.text("request", &held.id);
    line.text("statement", &held.statement);
    line.objects("votes", &held.votes, |line, vote| {
        line.text("name", &vote.name);
        line.text("entity", &vote.entity.to_string());
        if let Some(person) = vote.human.person() {
            line.text("person", person);
        }
        line.text("at", &vote.at.to_string());
        match &vote.weight {
            Weight::Full => {}
            Weight::Training => line.text("weight", "training"),
            Weight::Delegated { delegation, .. } => {
                line.text("weight", "delegated");
                line.text("delegation", delegation);
            }
        }
        if let Some(key) = &vote.key {
            line.text("key", key);
        }
        if let Some(envelope) = &vote.envelope {
            line.text("envelope", envelope);
        }
    });
}
