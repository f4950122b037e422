//! The pictures of people: fetched, made square, and given to their accounts, by this service or by Rocket.Chat.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::time::Duration;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    context::{Context, Live},
    files::{Round, begin, receipt},
    list::Group,
    pictures::{Made, avatar},
    problem::Problem,
    store::{Owner, Placed, Store, StoreError},
};
use crate::{
    domain::{
        field_value::Date,
        receipt::Outcome,
        upload::{document::Avatar, pending_file::without_secrets, upload_id},
    },
    engine::attempts::Stop,
    repository::{OwnUpload, PendingAccount, RecordReceipt, Repositories, Shelf, UploadKind, with_default_timeout},
};

/// Bytes of the largest picture that is fetched.
const LARGEST: usize = 10 * 1024 * 1024;
/// How long the head of an answer, and the whole picture, may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);
const DATA: &str = "data:";

/// Fetches the picture of the account of a group. `None` if it is to be tried again at the end.
pub(super) async fn settle(context: &Context, group: &Group, round: Round) -> Result<Option<Vec<RecordReceipt>>, Stop> {
    let mut receipts = Vec::with_capacity(group.records.len());
    for record in &group.records {
        let waiting = with_default_timeout(context.repositories.pending_accounts.find(&record.id)).await?;
        let (outcome, reason) = match waiting {
            None => of_one_that_waits_no_more(context, &record.id).await?,
            Some(account) => match give(context, &account).await {
                Ok(outcome) => outcome,
                Err(Problem::Stop(stop)) => return Err(stop),
                Err(Problem::Failed { may_pass: true, .. }) if round == Round::First => return Ok(None),
                Err(Problem::Failed { reason, .. }) => {
                    let name = if account.username.is_empty() { &account.id } else { &account.username };
                    (Outcome::Failed, Some(format!("{name}: {reason}")))
                }
            },
        };
        receipts.push(receipt(record, outcome, Some(record.id.clone()), reason));
    }
    Ok(Some(receipts))
}

/// An account that got its picture from an instance that died before the receipt, or that somebody else saw to.
async fn of_one_that_waits_no_more(context: &Context, account: &str) -> Result<(Outcome, Option<String>), Stop> {
    let own = with_default_timeout(context.repositories.own_uploads.of_key(UploadKind::Avatar, account)).await?;
    let is_ours = own.iter().any(|own| own.operation == context.operation);
    Ok(if is_ours { (Outcome::Created, None) } else { (Outcome::Same, Some("The account waits no more.".to_owned())) })
}

async fn give(context: &Context, account: &PendingAccount) -> Result<(Outcome, Option<String>), Problem> {
    let Repositories { own_uploads, pending_accounts, rocketchat_files, .. } = &context.repositories;
    let live = context.live();
    if live.settings.has_avatar_provider {
        return Err(Problem::final_one(
            "Rocket.Chat shows pictures from elsewhere (Accounts_AvatarExternalProviderUrl), and none that is stored.",
        ));
    }
    if account.username.is_empty() {
        return Err(Problem::final_one("The account has no user name, so Rocket.Chat cannot show a picture."));
    }
    let present = with_default_timeout(rocketchat_files.avatars_of(&account.id, &account.username)).await?;
    let mut ours = Vec::new();
    for id in present {
        let Some(own) = with_default_timeout(own_uploads.find(&id)).await? else {
            // Nothing but bytes of ours is ever removed.
            with_default_timeout(pending_accounts.forget(&account.id)).await?;
            return Ok((Outcome::Same, Some("The account has a picture of its own.".to_owned())));
        };
        ours.push(own);
    }
    let bytes = picture(&live, &account.address).await?;
    let side = live.settings.avatar_side;
    let made = {
        let _turn = context.pictures.acquire().await;
        spawn_blocking(move || avatar(&bytes, side)).await.unwrap_or_default()
    };
    let made = made.ok_or_else(|| Problem::final_one("What was fetched is no picture that can be read."))?;
    if let Some(api) = &context.fetch.avatar_api {
        api.set(&account.id, made.media_type, &made.bytes).await?;
        with_default_timeout(pending_accounts.forget(&account.id)).await?;
        context.add_bytes(made.bytes.len() as u64);
        return Ok((Outcome::Created, None));
    }
    let avatar = store(context, &live, account, &made).await?;
    with_default_timeout(pending_accounts.show(&account.id, &avatar.etag())).await?;
    for old in ours.into_iter().filter(|old| old.id != avatar.id) {
        remove(context, &live, &old).await?;
    }
    context.add_bytes(avatar.size);
    Ok((Outcome::Created, None))
}

/// Stores the picture. Its id follows from account and address, so an address that changed gives another one.
async fn store(context: &Context, live: &Live, account: &PendingAccount, made: &Made) -> Result<Avatar, Problem> {
    let Repositories { own_uploads, rocketchat_files, .. } = &context.repositories;
    let id = upload_id(&["avatar", &account.id, without_secrets(&account.address)]);
    let store = live.store()?;
    let own = OwnUpload {
        id: id.clone(),
        kind: UploadKind::Avatar,
        key: account.id.clone(),
        at: store.place(Owner::Account(&account.id), &id, &live.settings),
        operation: context.operation.clone(),
        is_stored: false,
        sha256: None,
    };
    begin(context, &own).await?;
    let mut writer = store.begin(Placed { shelf: Shelf::Avatars, id: &id, at: &own.at }, made.media_type);
    writer.write(&made.bytes).await?;
    let stored = writer.finish().await?;
    with_default_timeout(own_uploads.note_written(&id, &stored)).await?;
    let avatar = Avatar {
        id,
        account: account.id.clone(),
        username: account.username.clone(),
        media_type: made.media_type.to_owned(),
        size: stored.bytes,
        at: Date::now(),
    };
    with_default_timeout(rocketchat_files.remove_avatar(&avatar.id)).await?;
    let document = avatar.document(&own.at, &live.settings.site_url);
    with_default_timeout(rocketchat_files.insert(Shelf::Avatars, &document)).await?;
    with_default_timeout(own_uploads.note_stored(&avatar.id, avatar.size)).await?;
    Ok(avatar)
}

/// Removes a picture of ours that another one has followed.
async fn remove(context: &Context, live: &Live, old: &OwnUpload) -> Result<(), Problem> {
    let Repositories { own_uploads, rocketchat_files, .. } = &context.repositories;
    with_default_timeout(rocketchat_files.remove_avatar(&old.id)).await?;
    let store = Store::holding(&old.at, context.means(live)).map_err(StoreError::Away)?;
    store.remove(Placed { shelf: Shelf::Avatars, id: &old.id, at: &old.at }).await?;
    with_default_timeout(own_uploads.forget(&old.id)).await?;
    Ok(())
}

/// The bytes that an address leads to.
async fn picture(live: &Live, address: &str) -> Result<Vec<u8>, Problem> {
    if let Some(data) = address.strip_prefix(DATA) {
        let encoded = data.split_once(";base64,").map(|(_, encoded)| encoded);
        let bytes = encoded
            .filter(|encoded| encoded.len() <= 2 * LARGEST)
            .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
        return bytes.ok_or_else(|| Problem::final_one("Its data: address holds no picture in Base64."));
    }
    if !address.starts_with("http") {
        return Err(Problem::final_one("Its address is not one of the web."));
    }
    let fetched = timeout(PATIENCE, async {
        let mut answer = live.outgoing.get(address, HEAD_PATIENCE).await?;
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) if bytes.len() + piece.len() > LARGEST => {
                    return Err(Problem::final_one(format!("The picture has more than {LARGEST} bytes.")));
                }
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => return Ok(bytes),
                Err(_) => return Err(Problem::passing("The connection broke before the picture was whole.")),
            }
        }
    });
    fetched.await.unwrap_or_else(|_| Err(Problem::passing("The picture took too long.")))
}
