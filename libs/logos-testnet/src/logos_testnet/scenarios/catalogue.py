"""All scenarios, in the order in which to run them."""

from collections.abc import Awaitable, Callable
from typing import Final

from logos_testnet.scenarios.fetches import (
    a_fetch_outlives_its_network_module,
    a_fetch_outlives_its_provider_for_a_while,
    an_unknown_cid_is_not_found,
)
from logos_testnet.scenarios.files import a_file_of_any_size_crosses_the_network
from logos_testnet.scenarios.isolation import a_fetch_waits_until_its_node_is_healed
from logos_testnet.scenarios.keeping import (
    a_fetch_resumes_after_the_end_of_its_storage,
    a_kept_file_needs_no_caller,
)
from logos_testnet.scenarios.mixing import (
    a_ping_crosses_verified_hops_and_comes_back,
    messages_arrive_past_a_relay_that_has_stopped,
)
from logos_testnet.scenarios.puts import a_put_that_breaks_off_leaves_nothing
from logos_testnet.scenarios.recovery import (
    a_killed_kernel_comes_back,
    a_killed_module_comes_back,
    a_restart_keeps_identities_and_files,
    a_second_up_changes_nothing,
)
from logos_testnet.scenarios.tokens import a_killed_chain_goes_on, tokens_move_and_all_nodes_agree
from logos_testnet.testnet import Testnet

Scenario = Callable[[Testnet], Awaitable[None]]

EVERY: Final[tuple[Scenario, ...]] = (
    a_file_of_any_size_crosses_the_network,
    an_unknown_cid_is_not_found,
    a_put_that_breaks_off_leaves_nothing,
    a_second_up_changes_nothing,
    a_fetch_outlives_its_network_module,
    a_fetch_outlives_its_provider_for_a_while,
    a_kept_file_needs_no_caller,
    a_fetch_resumes_after_the_end_of_its_storage,
    a_fetch_waits_until_its_node_is_healed,
    a_ping_crosses_verified_hops_and_comes_back,
    messages_arrive_past_a_relay_that_has_stopped,
    tokens_move_and_all_nodes_agree,
    a_killed_chain_goes_on,
    a_killed_module_comes_back,
    a_killed_kernel_comes_back,
    a_restart_keeps_identities_and_files,
)
