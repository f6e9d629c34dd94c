//! The adapter through the suite's own traits, on a real server: several writers on one stream, then a reader.

use stack::Databases;
use suite_adapter::Manager;
use suite_adapter::suite::{EventData, ReadEvent, ReadRequest, StoreManager as _};

fn event(stream: &str, payload: &[u8]) -> EventData {
    EventData {
        payload: payload.to_vec(),
        event_type: "Written".into(),
        tags: vec![stream.into()],
    }
}

#[tokio::test]
async fn what_several_writers_append_is_read_back_in_order() -> anyhow::Result<()> {
    let servers = stack::shared().await?;
    let url = Databases::fresh(servers.postgres().url()).await?.events_owner;
    let mut manager = Manager { url };
    manager.start().await?;
    let writers = (0..4_u8).map(|writer| {
        let adapter = manager.create_adapter();
        tokio::spawn(async move {
            let adapter = adapter?;
            for number in 0..10_u8 {
                adapter
                    .append(vec![event("one", &[writer, number, 0xff]), event("one", &[])])
                    .await?;
            }
            anyhow::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    let reader = manager.create_adapter()?;
    reader.append(vec![event("other", b"alone")]).await?;
    let request = |stream: &str, from_offset, limit| ReadRequest {
        stream: stream.into(),
        from_offset,
        limit,
    };
    let all = reader.read(request("one", None, None)).await?;
    let offsets = |events: &[ReadEvent]| events.iter().map(|event| event.offset).collect::<Vec<_>>();
    assert_eq!(offsets(&all), (0..80).collect::<Vec<u64>>());
    for writer in 0..4_u8 {
        let own = all.iter().filter(|event| event.payload.first() == Some(&writer));
        let numbers: Vec<u8> = own.map(|event| event.payload[1]).collect();
        assert_eq!(
            numbers,
            (0..10).collect::<Vec<u8>>(),
            "of writer {writer}, in order"
        );
    }
    let some = reader.read(request("one", Some(5), Some(3))).await?;
    assert_eq!(offsets(&some), [5, 6, 7]);
    assert_eq!(some, all[5..8]);
    assert_eq!(
        reader.read(request("other", None, None)).await?[0].payload,
        b"alone"
    );
    assert_eq!(reader.read(request("none", None, None)).await?, []);
    manager.stop().await
}
