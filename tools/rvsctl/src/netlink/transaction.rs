// SPDX-License-Identifier: GPL-2.0-only
//! Transactions: many changes in one request, of which the kernel carries out all or none.

use super::attribute::{encode, Attribute};
use super::client::{Client, Error};
use super::numbers::{command, operation, rvs};
use super::operations::Remark;
use super::server::{self, ServerSettings};
use super::service::{self, ServiceSettings};
use super::socket::Transport;
use crate::model::{Endpoint, ServiceKey};

/// A transaction while it is put together. Operations are kept as they are sent, for there may be
/// very many.
pub struct Transaction {
    body: Vec<u8>,
    /// Byte at which each operation begins.
    starts: Vec<usize>,
}

impl Transaction {
    /// One without operations, for a configuration of this generation.
    pub fn new(generation: u64) -> Self {
        Self {
            body: encode(&[Attribute::u64(rvs::GENERATION, generation)]),
            starts: Vec::new(),
        }
    }

    fn push(&mut self, command: u8, service: Attribute, server: Option<Attribute>) {
        self.starts.push(self.body.len());
        let mut attributes = vec![Attribute::u8(operation::COMMAND, command), service];
        attributes.extend(server);
        self.body
            .extend(encode(&[Attribute::nest(rvs::OPERATION, attributes)]));
    }

    pub fn add_service(&mut self, key: &ServiceKey, settings: &ServiceSettings) {
        let service = service::encode_service(key, settings);
        self.push(command::NEW_SERVICE, service, None);
    }

    pub fn set_service(&mut self, key: &ServiceKey, settings: &ServiceSettings) {
        let service = service::encode_service(key, settings);
        self.push(command::SET_SERVICE, service, None);
    }

    pub fn delete_service(&mut self, key: &ServiceKey) {
        self.push(command::DEL_SERVICE, service::encode_key(key), None);
    }

    pub fn add_server(&mut self, key: &ServiceKey, endpoint: Endpoint, settings: &ServerSettings) {
        let server = server::encode_server(endpoint, settings);
        self.push(command::NEW_DEST, service::encode_key(key), Some(server));
    }

    pub fn set_server(&mut self, key: &ServiceKey, endpoint: Endpoint, settings: &ServerSettings) {
        let server = server::encode_server(endpoint, settings);
        self.push(command::SET_DEST, service::encode_key(key), Some(server));
    }

    pub fn delete_server(&mut self, key: &ServiceKey, endpoint: Endpoint) {
        let server = server::encode_key(endpoint);
        self.push(command::DEL_DEST, service::encode_key(key), Some(server));
    }

    /// The number of the operation that a byte of the request belongs to.
    fn operation_at(&self, offset: usize) -> Option<usize> {
        self.starts
            .partition_point(|start| *start <= offset)
            .checked_sub(1)
    }
}

/// Why a transaction failed, and the number of the operation at fault, if it is one.
#[derive(Debug)]
pub struct Rejection {
    pub error: Error,
    pub operation: Option<usize>,
}

impl<T: Transport> Client<T> {
    /// Has the kernel carry out a transaction.
    pub fn apply(&mut self, mut transaction: Transaction) -> Result<Remark, Rejection> {
        let body = std::mem::take(&mut transaction.body);
        let result = self.perform_encoded(command::APPLY, body);
        result.map_err(|error| {
            let offset = match &error {
                Error::Refused { ack, .. } => ack.offset,
                _ => None,
            };
            let operation = offset.and_then(|offset| transaction.operation_at(offset));
            Rejection { error, operation }
        })
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::super::fake::{ack, capped_error, family_reply, Script};
    use super::super::service::tests::key;
    use super::*;
    use crate::parse;

    fn three_operations() -> Transaction {
        let mut transaction = Transaction::new(7);
        for name in ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] {
            transaction.delete_server(&key(), parse::endpoint(name).unwrap());
        }
        transaction
    }

    #[test]
    fn operations_are_sent_in_one_request_behind_the_generation() {
        let mut transaction = Transaction::new(7);
        transaction.delete_service(&key());
        let mut script = Script::new(vec![vec![family_reply(), ack(1)], vec![ack(2)]]);
        let mut client = Client::connect(&mut script, "RVS").unwrap();
        assert!(client.apply(transaction).unwrap().is_none());
        let sent = &script.sent[1];
        assert_eq!(sent[16], command::APPLY);
        let mut expected = vec![12, 0, 10, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([48, 0, 9, 0x80, 5, 0, 3, 0, 3, 0, 0, 0]);
        expected.extend([
            36, 0, 1, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 6, 0, 2, 0, 6, 0, 0, 0,
        ]);
        expected.extend([8, 0, 3, 0, 192, 0, 2, 10, 6, 0, 4, 0, 0, 80, 0, 0]);
        assert_eq!(sent[20..], expected);
    }

    #[test]
    fn the_operation_at_fault_is_found_by_its_place_in_the_request() {
        let starts = three_operations().starts;
        for (offset, operation) in [
            (starts[1], Some(1)),
            (starts[2] + 8, Some(2)),
            (starts[0], Some(0)),
            (0, None),
        ] {
            let at = u32::try_from(offset + 20).unwrap().to_ne_bytes();
            let extack = [&[8, 0, 2, 0][..], &at].concat();
            let refused = capped_error(2, -2, &extack);
            let script = Script::new(vec![vec![family_reply(), ack(1)], vec![refused]]);
            let mut client = Client::connect(script, "RVS").unwrap();
            let rejection = client.apply(three_operations()).unwrap_err();
            assert_eq!(rejection.operation, operation, "{offset}");
            assert!(matches!(
                rejection.error,
                Error::Refused {
                    errno: Errno::NOENT,
                    ..
                }
            ));
        }
    }
}
