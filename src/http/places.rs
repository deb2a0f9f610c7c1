//! The places for connections: as many as there may be at a time. Where all are taken, a newcomer
//! gets that of another connection, so that nobody holds them all: neither by connections without
//! requests nor by reading slowly.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::oneshot, time::Instant};

/// How long an answer is left alone: Prometheus waits no longer for a scrape by default.
const SCRAPE: Duration = Duration::from_secs(10);

/// All places.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    taken: HashMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    peer: IpAddr,
    /// Whether a request is being answered; else one is waited for.
    answering: bool,
    /// For how long it has been so.
    since: Instant,
    /// Dropped, it asks the connection to end.
    _stay: oneshot::Sender<()>,
}

/// A connection's place, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
}

/// What a newcomer is given.
#[derive(Debug)]
pub struct Given {
    /// The place.
    pub place: Place,
    /// Ends when the place was given to another connection.
    pub displaced: Displaced,
    /// Whether it was taken from another connection.
    pub of_another: bool,
}

type Displaced = oneshot::Receiver<()>;

/// A body whose connection waits for the next request when it was read or given up.
#[derive(Debug)]
pub struct Answering<B> {
    body: B,
    place: Option<Arc<Place>>,
}

impl Places {
    /// So many places.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for a newcomer from this address, perhaps that of another connection; `None` where
    /// it is not owed one: all connections are being answered, and its address has its share.
    pub fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Given> {
        let mut table = self.table();
        let now = Instant::now();
        let of_another = table.taken.len() >= self.most;
        if of_another {
            let victim = table.victim(peer, now)?;
            table.taken.remove(&victim);
        }
        let (stay, displaced) = oneshot::channel();
        let number = table.next;
        table.next += 1;
        table.taken.insert(number, Taken { peer, answering: false, since: now, _stay: stay });
        let place = Place { places: Arc::clone(self), number };
        Some(Given { place, displaced, of_another })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whose place a newcomer gets: a connection of the address that has the most, one without a
    /// request before one that is being answered, the one that has been so the longest. An address
    /// takes nothing from one that has less, and from its like only what can be spared.
    fn victim(&self, newcomer: IpAddr, now: Instant) -> Option<u64> {
        let mut shares = HashMap::<IpAddr, usize>::new();
        for taken in self.taken.values() {
            *shares.entry(taken.peer).or_default() += 1;
        }
        let share = |peer: &IpAddr| shares.get(peer).copied().unwrap_or_default();
        let own = share(&newcomer);
        let spare = |taken: &Taken| !taken.answering || now - taken.since > SCRAPE;
        let owed = |taken: &Taken| match share(&taken.peer) {
            theirs if theirs > own + 1 => true,
            theirs => theirs >= own && spare(taken),
        };
        let taken = self.taken.iter().filter(|(_, taken)| owed(taken));
        let order = |taken: &Taken| (share(&taken.peer), !taken.answering, now - taken.since);
        taken.max_by_key(|(_, taken)| order(taken)).map(|(number, _)| *number)
    }
}

impl Place {
    /// A request came: until its answer is read, its connection is left alone.
    pub fn answers(&self) {
        self.becomes(true);
    }

    fn becomes(&self, answering: bool) {
        if let Some(taken) = self.places.table().taken.get_mut(&self.number) {
            (taken.answering, taken.since) = (answering, Instant::now());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().taken.remove(&self.number);
    }
}

impl<B> Answering<B> {
    /// The body of an answer on the connection of a place, if it has one.
    pub const fn new(body: B, place: Option<Arc<Place>>) -> Self {
        Self { body, place }
    }
}

impl<B> Drop for Answering<B> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.becomes(false);
        }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn from(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn is_displaced(displaced: &mut Displaced) -> bool {
        displaced.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let places = Places::new(1);
        let first = places.take(from(1)).expect("a place");
        first.place.answers();
        assert!(places.take(from(1)).is_none());
        drop(first);
        assert!(places.take(from(1)).is_some());
        assert!(places.table().taken.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_the_longest_for_a_request_goes_first() {
        let places = Places::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(places.take(from(1)).expect("a place"));
            advance(SECOND).await;
        }
        for given in &taken[..2] {
            given.place.answers();
        }
        drop(Answering::new((), Some(Arc::new(taken.remove(1).place))));
        let mut idle = places.take(from(1)).expect("a free place");
        assert!(!idle.of_another);
        let newcomer = places.take(from(1)).expect("that of the idle one");
        assert!(newcomer.of_another);
        assert!(is_displaced(&mut taken[1].displaced), "it has waited the longest");
        assert!(!is_displaced(&mut taken[0].displaced), "it is being answered");
        assert!(!is_displaced(&mut idle.displaced));
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_the_most_gives_way_to_others() {
        let places = Places::new(8);
        let mut scraper = places.take(from(1)).expect("a place");
        let mut greedy: Vec<_> = (0..7).map(|_| places.take(from(2)).expect("a place")).collect();
        greedy.iter().for_each(|given| given.place.answers());
        assert!(places.take(from(2)).is_none(), "not even one without a request of another");
        scraper.place.answers();
        assert!(places.take(from(2)).is_none(), "it has its share");
        let second = places.take(from(1)).expect("a place of the greedy one");
        second.place.answers();
        assert!(!is_displaced(&mut scraper.displaced));
        let displaced =
            greedy.iter_mut().map(|given| usize::from(is_displaced(&mut given.displaced)));
        assert_eq!(displaced.sum::<usize>(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_left_alone_for_as_long_as_a_scrape() {
        let places = Places::new(1);
        let mut slow = places.take(from(1)).expect("a place");
        slow.place.answers();
        advance(SCRAPE).await;
        assert!(places.take(from(1)).is_none());
        advance(SECOND).await;
        assert!(places.take(from(1)).is_some());
        assert!(is_displaced(&mut slow.displaced));
    }

    proptest! {
        #[test]
        fn there_are_never_more_and_each_address_gets_its_share(
            comings in prop::collection::vec((0..5_u8, any::<bool>(), any::<bool>()), 1..100),
        ) {
            const MOST: usize = 6;
            let places = Places::new(MOST);
            let mut open: Vec<(u8, Given)> = Vec::new();
            for (peer, answering, closes) in comings {
                if closes && !open.is_empty() {
                    open.remove(0);
                }
                let own = open.iter().filter(|(of, _)| *of == peer).count();
                match places.take(from(peer)) {
                    Some(given) => {
                        if answering {
                            given.place.answers();
                        }
                        open.push((peer, given));
                    }
                    None => prop_assert!(own > 0, "its first connection is always taken"),
                }
                open.retain_mut(|(_, given)| !is_displaced(&mut given.displaced));
                prop_assert!(open.len() <= MOST);
                prop_assert_eq!(places.table().taken.len(), open.len());
            }
        }
    }
}
