//! Time zones, from the database that is built in.

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::wire::time::{date, days};

/// A time zone.
#[derive(Debug)]
pub(super) struct Zone(TimeZone);

/// What calendar and clock show.
#[derive(Debug, PartialEq)]
pub(super) struct Clock {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// From 0, Sunday.
    pub(super) weekday: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
}

impl Zone {
    pub(super) const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of this name, as Go's `time.LoadLocation` finds it; local time is UTC.
    pub(super) fn find(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" | "Local" => Some(Self::utc()),
            _ => TimeZoneDatabase::bundled().get(name).ok().map(Self),
        }
    }

    /// What calendar and clock show at so many seconds since 1970.
    pub(super) fn clock(&self, unix: i64) -> Clock {
        let local = unix + self.offset(unix);
        let (days, seconds) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = date(days);
        Clock {
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7),
            hour: seconds / 3_600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// When they show this, in seconds since 1970; what they never show is some time near it (Go's
    /// `time.Date`). Month and day may be beyond their year and month.
    pub(super) fn unix(&self, clock: &Clock) -> i64 {
        let Clock { year, month, day, hour, minute, second, .. } = clock;
        let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
        let local = days(year, month, *day) * 86_400 + hour * 3_600 + minute * 60 + second;
        match self.offset(local) {
            0 => local,
            offset => local - self.offset(local - offset),
        }
    }

    /// Seconds east of Greenwich.
    fn offset(&self, unix: i64) -> i64 {
        let time = Timestamp::from_second(unix);
        time.map_or(0, |time| self.0.to_offset(time).seconds().into())
    }
}
