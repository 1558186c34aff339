//! `struct dns_record`: a packet of the domain name system (RFC 1035), as it came or went.
//!
//! Whoever sends a packet decides what is in it, so nothing here fails on its content: what can be read is told, and
//! [`DnsEvent::partial`] says that there is more.

use super::act::Head;
use super::network::end;
use crate::DecodeError;
use crate::fields::Fields;
use domain::base::message::RecordSection;
use domain::base::{Message, ParsedName, ParsedRecord};
use domain::rdata::AllRecordData;
use event_model::{DnsAnswer, DnsEvent, DnsQuestion};
use std::fmt::Display;

/// `enum dns_flags` of `bpf/dns.h`.
const TCP: u16 = 1 << 4;
const INBOUND: u16 = 1 << 5;

/// No resolver asks for more than one thing at once.
const MAXIMUM_QUESTIONS: usize = 8;
const MAXIMUM_ANSWERS: usize = 64;
/// Of an answer's data, such as a text.
const MAXIMUM_DATA_BYTES: usize = 1024;

pub fn read(head: &Head<'_>, fields: &mut Fields<'_>) -> Result<DnsEvent, DecodeError> {
    let (local, server) = (end(fields)?, end(fields)?);
    let message_length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    let payload_length = usize::from(fields.u16()?);
    let room = usize::from(fields.u16()?);
    let room = fields.take(room)?;
    let payload = room
        .get(..payload_length)
        .ok_or(DecodeError::TooShort { wanted: payload_length, left: room.len() })?;
    let tcp = head.has(TCP);
    let message = if tcp { without_length(payload) } else { payload };
    let mut event = DnsEvent {
        tcp,
        local: Some(local),
        server: Some(server),
        response: head.has(INBOUND),
        ..DnsEvent::default()
    };
    read_message(message, &mut event);
    event.partial |= message_length > payload_length;
    Ok(event)
}

/// TCP carries each message after its length. Some send the length in a packet of its own.
fn without_length(payload: &[u8]) -> &[u8] {
    match payload.split_first_chunk() {
        Some((length, message)) if usize::from(u16::from_be_bytes(*length)) >= message.len() => {
            message
        }
        // Several messages at once: the first.
        Some((length, message)) if plausible(message) => {
            message.get(..usize::from(u16::from_be_bytes(*length))).unwrap_or(message)
        }
        _ => payload,
    }
}

/// The header of a message that asks or answers one question.
fn plausible(message: &[u8]) -> bool {
    message.get(4..6) == Some(&[0, 1])
}

fn read_message(bytes: &[u8], event: &mut DnsEvent) {
    let Ok(message) = Message::from_slice(bytes) else {
        event.partial = true;
        return;
    };
    let header = message.header();
    event.id = header.id();
    event.code = header.rcode().to_int().into();
    event.partial = read_questions(message, event).is_none();
    if event.partial || !event.response {
        return;
    }
    event.partial = match message.answer() {
        Ok(answers) => read_answers(answers, event).is_none(),
        Err(_) => true,
    };
}

/// None where they are malformed, or too many.
fn read_questions(message: &Message<[u8]>, event: &mut DnsEvent) -> Option<()> {
    for question in message.question() {
        let question = question.ok()?;
        if event.questions.len() == MAXIMUM_QUESTIONS {
            return None;
        }
        event.questions.push(DnsQuestion {
            name: name(question.qname()),
            record_type: question.qtype().to_string(),
        });
    }
    Some(())
}

/// The same.
fn read_answers(answers: RecordSection<'_, [u8]>, event: &mut DnsEvent) -> Option<()> {
    for answer in answers {
        let answer = answer.ok()?;
        if event.answers.len() == MAXIMUM_ANSWERS {
            return None;
        }
        event.answers.push(DnsAnswer {
            name: name(&answer.owner()),
            record_type: answer.rtype().to_string(),
            ttl: answer.ttl().as_secs(),
            data: data(&answer)?,
        });
    }
    Some(())
}

fn data(answer: &ParsedRecord<'_, [u8]>) -> Option<String> {
    let record = answer.to_any_record::<AllRecordData<_, ParsedName<_>>>().ok()?;
    let mut text = match record.data() {
        AllRecordData::Cname(other) => name(other.cname()),
        AllRecordData::Ns(server) => name(server.nsdname()),
        AllRecordData::Ptr(other) => name(other.ptrdname()),
        other => other.to_string(),
    };
    if text.len() > MAXIMUM_DATA_BYTES {
        let end = text.floor_char_boundary(MAXIMUM_DATA_BYTES);
        text.truncate(end);
    }
    Some(text)
}

fn name(name: &impl Display) -> String {
    let mut text = name.to_string();
    text.make_ascii_lowercase();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::iana::Rcode;
    use domain::base::{MessageBuilder, Name, Rtype, Ttl};
    use domain::rdata::{A, Cname, Txt};
    use proptest::prelude::*;

    fn named(name: &str) -> Name<Vec<u8>> {
        name.parse().unwrap()
    }

    fn answer() -> Vec<u8> {
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_id(7);
        message.header_mut().set_qr(true);
        message.header_mut().set_rcode(Rcode::NOERROR);
        let mut message = message.question();
        message.push((named("WWW.Example.com"), Rtype::A)).unwrap();
        let mut message = message.answer();
        let class = domain::base::iana::Class::IN;
        let ttl = Ttl::from_secs(60);
        message
            .push((named("www.example.com"), class, ttl, Cname::new(named("host.example.com"))))
            .unwrap();
        message
            .push((named("host.example.com"), class, ttl, A::from_octets(192, 0, 2, 1)))
            .unwrap();
        let text = Txt::<Vec<u8>>::build_from_slice(b"a text").unwrap();
        message.push((named("host.example.com"), class, ttl, text)).unwrap();
        message.finish()
    }

    fn told(bytes: &[u8]) -> DnsEvent {
        let mut event = DnsEvent { response: true, ..DnsEvent::default() };
        read_message(bytes, &mut event);
        event
    }

    #[test]
    fn an_answer_is_told_with_its_question() {
        let event = told(&answer());
        assert_eq!((event.id, event.code, event.partial), (7, 0, false));
        assert_eq!(event.questions[0].name, "www.example.com");
        assert_eq!(event.questions[0].record_type, "A");
        let answers: Vec<_> = event
            .answers
            .iter()
            .map(|one| format!("{} {} {} {}", one.name, one.record_type, one.ttl, one.data))
            .collect();
        let expected = [
            "www.example.com CNAME 60 host.example.com",
            "host.example.com A 60 192.0.2.1",
            "host.example.com TXT 60 \"a text\"",
        ];
        assert_eq!(answers, expected);
    }

    #[test]
    fn of_a_message_that_is_cut_what_is_there_is_told() {
        let whole = answer();
        let cut = told(&whole[..whole.len() - 3]);
        assert!(cut.partial);
        assert_eq!((cut.questions.len(), cut.answers.len()), (1, 2));
        let header = told(&whole[..12]);
        assert!(header.partial);
        assert_eq!((header.id, header.questions.len()), (7, 0));
        assert!(told(&whole[..11]).partial);
    }

    #[test]
    fn a_name_that_points_to_itself_ends() {
        let mut bytes = vec![0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        let event = told(&bytes);
        assert!(event.partial && event.questions.is_empty());
    }

    #[test]
    fn over_tcp_the_length_goes_before_the_message() {
        let message = answer();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&length[..], &message].concat();
        assert_eq!(without_length(&framed), message);
        let twice = [&framed[..], &framed].concat();
        assert_eq!(without_length(&twice), message);
        assert_eq!(without_length(&message), message, "the length came before");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let event = told(&bytes);
            prop_assert!(event.questions.len() <= MAXIMUM_QUESTIONS);
            prop_assert!(event.answers.len() <= MAXIMUM_ANSWERS);
            prop_assert!(event.answers.iter().all(|one| one.data.len() <= MAXIMUM_DATA_BYTES));
            without_length(&bytes);
        }

        #[test]
        fn a_damaged_answer_is_read_within_bounds(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
        ) {
            let mut bytes = answer();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let event = told(&bytes);
            prop_assert!(event.questions.len() <= MAXIMUM_QUESTIONS);
            prop_assert!(event.answers.len() <= MAXIMUM_ANSWERS);
        }
    }
}
