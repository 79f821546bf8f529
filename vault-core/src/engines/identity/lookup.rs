//! `lookup/entity` and `lookup/group`: by name, by id, or by an alias. What is not found answers nothing, as in Vault.

use rand_core::CryptoRng;
use serde::Deserialize;

use super::checks::given;
use super::{Call, Step, alias, entity, group, group_alias};
use crate::id::GroupId;
use crate::identity::Group;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    name: Option<String>,
    id: Option<String>,
    alias_id: Option<String>,
    alias_name: Option<String>,
    alias_mount_accessor: Option<String>,
}

/// What is looked for.
enum Wanted {
    Name(String),
    Id(String),
    AliasId(String),
    Alias { accessor: String, name: String },
}

impl Ask {
    /// Demands exactly one way to look.
    fn wanted(self) -> Result<Wanted, Refusal> {
        let (name, accessor) = (given(self.alias_name), given(self.alias_mount_accessor));
        let by_alias = match (name, accessor) {
            (Some(name), Some(accessor)) => Some(Wanted::Alias { accessor, name }),
            (None, None) => None,
            _ => return Err(Refusal::invalid("both alias_name and alias_mount_accessor must be set")),
        };
        let ways = [
            given(self.name).map(Wanted::Name),
            given(self.id).map(Wanted::Id),
            given(self.alias_id).map(Wanted::AliasId),
            by_alias,
        ];
        let mut ways = ways.into_iter().flatten();
        match (ways.next(), ways.next()) {
            (Some(wanted), None) => Ok(wanted),
            _ => Err(Refusal::invalid(
                "supply exactly one of name, id, alias_id, or alias_name with alias_mount_accessor",
            )),
        }
    }
}

pub(super) fn entity(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let found = match call.request.parse::<Ask>()?.wanted()? {
        Wanted::Name(name) => entity::by_name(call, &name, view)?,
        Wanted::Id(id) => entity::by_id(call, &id, view)?,
        Wanted::AliasId(id) => alias::entity_of(call, &id, view)?,
        Wanted::Alias { accessor, name } => alias::entity_called(call, &accessor, &name, view)?,
    };
    match found {
        Some(entity) => Ok(Step::answer(Reply::data(&entity::describe(call, &entity))?)),
        None => Ok(Step::answer(Reply::Empty)),
    }
}

pub(super) fn group(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let groups = call.tables.groups();
    let shared = |group: &std::sync::Arc<Group>| group.as_ref().clone();
    let found: Option<Group> = match call.request.parse::<Ask>()?.wanted()? {
        Wanted::Name(name) => groups.by_name(&name).map(shared),
        Wanted::Id(id) => GroupId::parse(&id).and_then(|id| groups.get(id)).map(shared),
        Wanted::AliasId(id) => group_alias::group_of(call, &id, view)?,
        Wanted::Alias { accessor, name } => group_alias::group_called(call, &accessor, &name, view)?,
    };
    match found {
        Some(group) => group::answer(call, &group, view),
        None => Ok(Step::answer(Reply::Empty)),
    }
}
