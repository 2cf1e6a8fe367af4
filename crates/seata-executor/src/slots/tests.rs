//! What the bounds promise, place by place.

use futures_util::FutureExt;

use super::*;

#[test]
fn a_full_destination_holds_up_nobody_else() {
    let slots = Slots::new(3, 2);
    let first: Vec<_> = (0..2)
        .filter_map(|_| slots.take("slow:80").now_or_never())
        .collect();
    assert_eq!(first.len(), 2);
    assert!(
        slots.take("slow:80").now_or_never().is_none(),
        "the destination is full"
    );
    let other = slots.take("fast:80").now_or_never();
    assert!(other.is_some());
    assert!(
        slots.take("fast:80").now_or_never().is_none(),
        "all are taken"
    );
    drop(other);
    assert!(slots.take("fast:80").now_or_never().is_some());
}

#[test]
fn idle_destinations_are_forgotten() {
    let slots = Slots::new(10, 2);
    let held = slots.take("held:1").now_or_never();
    for n in 0..10_000 {
        drop(slots.take(&format!("host-{n}:80")).now_or_never());
    }
    let state = slots.0.state();
    assert!(state.by_name.len() <= DESTINATIONS_KEPT_MAX);
    assert!(state.by_name.contains_key("held:1"));
    drop(state);
    drop(held);
}

#[test]
fn places_are_given_in_the_order_of_asking_and_a_dropped_wish_gives_up_its_place() {
    let slots = Slots::new(10, 1);
    let held = slots.take("a:1").now_or_never();
    assert!(held.is_some());
    let mut wishes = [(); 3].map(|()| Box::pin(slots.take("a:1")));
    for wish in &mut wishes {
        assert!(wish.now_or_never().is_none());
    }
    let [first, mut second, mut third] = wishes;
    drop(first);
    drop(held);
    assert!((&mut third).now_or_never().is_none(), "the second is next");
    let given = (&mut second).now_or_never();
    assert!(given.is_some());
    drop(given);
    assert!(third.now_or_never().is_some());
}

#[test]
fn waiting_for_a_destination_takes_no_place_in_all() {
    let slots = Slots::new(2, 1);
    let held = slots.take("slow:1").now_or_never();
    let mut waiting = Box::pin(slots.take("slow:1"));
    assert!((&mut waiting).now_or_never().is_none());
    assert!(slots.take("fast:1").now_or_never().is_some());
    drop(held);
}

#[test]
fn a_bound_of_nothing_still_lets_one_call_through() {
    assert!(Slots::new(0, 0).take("a:1").now_or_never().is_some());
}

/// Takes as many places as a destination gets, and answers them with one wish for more.
fn fill<'a>(
    slots: &'a Slots,
    name: &'a str,
) -> (Vec<Permits>, impl Future<Output = Permits> + Unpin + 'a) {
    let mut places = Vec::new();
    loop {
        let mut wish = Box::pin(slots.take(name));
        match (&mut wish).now_or_never() {
            Some(place) => places.push(place),
            None => return (places, wish),
        }
    }
}

#[test]
fn thirty_slow_destinations_leave_places_to_one_that_has_few() {
    let slots = Slots::new(2_000, 256);
    let names: Vec<String> = (0..30).map(|n| format!("slow-{n}:1")).collect();
    let held: Vec<_> = names.iter().map(|name| fill(&slots, name)).collect();
    let taken: Vec<usize> = held.iter().map(|(places, _)| places.len()).collect();
    assert_eq!(taken[..6], [256; 6], "as many as there are");
    assert!(taken.iter().all(|taken| *taken > 0), "{taken:?}");
    for _ in 0..100 {
        let one = slots.take("fast:1").now_or_never();
        assert!(one.is_some(), "{taken:?}");
    }
}

#[test]
fn one_destination_gets_all_that_is_not_left_to_others() {
    let slots = Slots::new(256, 256);
    let (places, _) = fill(&slots, "alone:1");
    assert_eq!(places.len(), 256 - 256 / FEW_SHARE);
}

#[test]
fn a_place_that_is_given_back_goes_to_who_has_the_fewest_and_may_have_one() {
    let slots = Slots::new(16, 16);
    let (mut many, mut more) = fill(&slots, "many:1");
    let (few, mut another) = fill(&slots, "few:1");
    assert_eq!((many.len(), few.len()), (14, 1));
    many.pop();
    // Two are free now: one of them for `few`, which has one, and none for `many`, which has thirteen.
    let given = (&mut another).now_or_never();
    assert!(given.is_some());
    assert!((&mut more).now_or_never().is_none());
    drop((few, given));
    assert!((&mut more).now_or_never().is_some());
}

#[test]
fn wishes_that_were_given_up_are_forgotten() {
    let slots = Slots::new(2, 1);
    let held = slots.take("slow:1").now_or_never();
    for _ in 0..10_000 {
        assert!(slots.take("slow:1").now_or_never().is_none());
    }
    let wishes = slots.0.state().by_name["slow:1"].wishes.len();
    assert!(wishes <= 2 * WISHES_KEPT_MAX, "{wishes}");
    drop(held);
    assert!(slots.take("slow:1").now_or_never().is_some());
    assert!(slots.0.state().wishing.is_empty());
}

#[test]
fn a_place_that_was_granted_to_one_who_gave_up_goes_to_the_next() {
    let slots = Slots::new(2, 1);
    let held = slots.take("a:1").now_or_never();
    let mut wishes = [(); 2].map(|()| Box::pin(slots.take("a:1")));
    for wish in &mut wishes {
        assert!(wish.now_or_never().is_none());
    }
    let [first, mut second] = wishes;
    drop(held);
    assert!((&mut second).now_or_never().is_none(), "the first has it");
    drop(first);
    assert!(second.now_or_never().is_some());
}
