"""MIX-15: keys and their epochs."""

import secrets

from logos_mixnet.core.mixing.keys import MixKey, ends_ms, next_key


def test_epochs_count_up_and_no_key_is_used_again() -> None:
    keys: list[MixKey] = []
    for now_ms in range(5):
        keys.insert(0, next_key(keys[:2], secrets.token_bytes, now_ms))
    assert [key.epoch for key in keys] == [5, 4, 3, 2, 1]
    assert len({key.private_key for key in keys}) == 5
    assert keys[0].begun_ms == 4


def test_an_epoch_ends_after_its_length_and_no_later_than_that_from_now() -> None:
    key = MixKey(1, bytes(32), 10_000)
    assert ends_ms(key, 5_000, 12_000) == 15_000
    assert ends_ms(key, 5_000, 99_000) == 15_000
    hour_back = 10_000 - 3_600_000
    assert ends_ms(key, 5_000, hour_back) == hour_back + 5_000
