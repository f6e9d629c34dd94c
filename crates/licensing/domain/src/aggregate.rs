//! One way for every aggregate to handle a command: decide without side effects, then record and apply the events.

/// `aggregate!(Type: TYPE, Command => Event)` implements [`cqrs_es::Aggregate`] by the type's own
/// `decide(&self, Command) -> Result<impl IntoIterator<Item = Event>, Refusal>` and `evolve(&mut self, Event)`.
macro_rules! aggregate {
    ($name:ident: $type:expr, $command:ty => $event:ty) => {
        impl cqrs_es::Aggregate for $name {
            const TYPE: &'static str = $type;
            type Command = $command;
            type Event = $event;
            type Error = $crate::refusal::Refusal;
            type Services = ();

            async fn handle(
                &mut self,
                command: $command,
                (): &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in self.decide(command)?.into_iter() {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: $event) {
                self.evolve(event);
            }
        }
    };
}

pub(crate) use aggregate;
