//! What a host keeps of the distributed hash table: providers, bounded in every direction, in
//! memory. Values are refused: no protocol of ours stores any.
//!
//! `kad::store::MemoryStore` reserves room for twenty providers with every key, about 3 KiB;
//! here a key takes what its providers take.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::{Empty, empty};

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

const MAX_KEY_BYTES: usize = 128;
const MAX_PROVIDED_KEYS: usize = 1_000_000;
const MAX_PROVIDERS_PER_KEY: usize = 20;
const MAX_ADDRESSES_PER_PROVIDER: usize = 8;

pub(crate) struct Records {
    local: PeerId,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// What this host itself provides. Also among `providers`.
    provided: HashMap<RecordKey, ProviderRecord>,
}

impl Records {
    pub(crate) fn new(local: PeerId) -> Self {
        Self {
            local,
            providers: HashMap::new(),
            provided: HashMap::new(),
        }
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        empty()
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > MAX_KEY_BYTES {
            return Err(Error::ValueTooLarge);
        }
        let is_new_key = !self.providers.contains_key(&record.key);
        if is_new_key && self.providers.len() >= MAX_PROVIDED_KEYS {
            return Err(Error::MaxProvidedKeys);
        }
        record.addresses.truncate(MAX_ADDRESSES_PER_PROVIDER);
        let is_local = record.provider == self.local;
        let known = self.providers.entry(record.key.clone()).or_default();
        if let Some(old) = known.iter_mut().find(|old| old.provider == record.provider) {
            *old = record.clone();
        } else if known.len() < MAX_PROVIDERS_PER_KEY || is_local {
            known.push(record.clone());
        }
        if is_local {
            self.provided.insert(record.key.clone(), record);
        }
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.providers.get(key).cloned().unwrap_or_default()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        Box::new(self.provided.values().map(Cow::Borrowed))
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if let Some(known) = self.providers.get_mut(key) {
            known.retain(|record| record.provider != *provider);
            if known.is_empty() {
                self.providers.remove(key);
            }
        }
        if *provider == self.local {
            self.provided.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(key: &[u8], provider: PeerId) -> ProviderRecord {
        ProviderRecord::new(RecordKey::new(&key), provider, Vec::new())
    }

    #[test]
    fn what_is_provided_here_is_listed_until_it_is_removed() {
        let local = PeerId::random();
        let mut records = Records::new(local);

        records.add_provider(provider(b"k", local)).unwrap();
        records.add_provider(provider(b"k", local)).unwrap();
        records
            .add_provider(provider(b"k", PeerId::random()))
            .unwrap();
        assert_eq!(records.provided().count(), 1);
        assert_eq!(records.providers(&RecordKey::new(b"k")).len(), 2);

        records.remove_provider(&RecordKey::new(b"k"), &local);
        assert_eq!(records.provided().count(), 0);
        assert_eq!(records.providers(&RecordKey::new(b"k")).len(), 1);
    }

    #[test]
    fn a_key_keeps_twenty_providers_and_always_this_host() {
        let local = PeerId::random();
        let mut records = Records::new(local);

        for _ in 0..30 {
            records
                .add_provider(provider(b"k", PeerId::random()))
                .unwrap();
        }
        assert_eq!(records.providers(&RecordKey::new(b"k")).len(), 20);

        records.add_provider(provider(b"k", local)).unwrap();
        assert_eq!(records.providers(&RecordKey::new(b"k")).len(), 21);
    }

    #[test]
    fn long_keys_and_all_values_are_refused() {
        let mut records = Records::new(PeerId::random());
        let long = [0u8; 129];

        assert!(
            records
                .add_provider(provider(&long, PeerId::random()))
                .is_err()
        );
        let key = RecordKey::new(b"k");
        assert!(records.put(Record::new(key.clone(), vec![0])).is_err());
        assert!(records.get(&key).is_none());
    }
}
