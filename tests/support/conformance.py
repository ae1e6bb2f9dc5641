"""The SIP conformance list: what each ordinary or odd peer does, what was open once, and the tests that show each case.

It is run on every upgrade of sippy. Tests are named as in `support.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping

# fmt: off
CONFORMANCE: Mapping[str, tuple[str, ...]] = {
    "CANCEL while ringing: 200, 487, ACK absorbed": ("sip_in::test_cancel_while_ringing",),
    "CANCEL before any 1xx": ("sip_in::test_cancel_before_any_response",),
    "the 487 has the To tag of the 180": ("sip_in::test_cancel_while_ringing",),
    "we refuse with 486": ("sip_in::test_we_are_busy",),
    "the peer is busy: ACK in the same branch": (
        "sip_out::test_refusals_are_acknowledged_and_passed_on[486-Busy Here-fields0]",
    ),
    "no answer, our timer, CANCEL in the same branch, 487 acknowledged": (
        "placing::test_the_ring_timer",
        "sip_out::test_cancel_while_it_rings",
    ),
    "hang up before any 1xx: the CANCEL is held": ("sip_out::test_cancel_is_held_until_a_provisional_response",),
    "200 crosses CANCEL: ACK, BYE": ("sip_out::test_answer_that_crosses_our_cancel_is_let_go",),
    "a mute peer that is given up": ("sip_out::test_cancel_that_nobody_answers",),
    "hold by the peer, sendonly and inactive, and resume": (
        "sip_offers::test_hold_and_resume_by_the_far_end",
        "sessions::test_hold_and_resume_by_the_far_end",
        "phone::test_the_far_end_holds_and_resumes",
    ),
    "re-INVITE with the same description, told to the journal": (
        "sip_offers::test_refresh_with_the_same_description_is_told",
        "sessions::test_a_refresh_and_one_without_an_offer_are_journalled",
    ),
    "re-INVITE without a description: an offer in the 200": (
        "sip_offers::test_reinvite_without_an_offer_gets_ours",
        "sessions::test_a_refresh_and_one_without_an_offer_are_journalled",
    ),
    "our re-INVITE": ("sip_offers::test_our_offer", "sessions::test_our_hold_and_resume"),
    "glare: 491 both ways, the dialog lives, ours is tried again": (
        "sip_offers::test_glare",
        "sessions::test_glare_is_tried_again_with_the_session_as_it_is_then",
    ),
    "digest 401, MD5; the new INVITE behind the ACK": ("sip_out::test_digest_for_invite_and_bye[401-MD5]",),
    "digest 401, SHA-256": ("sip_out::test_digest_for_invite_and_bye[401-SHA-256]",),
    "digest 407, MD5": ("sip_out::test_digest_for_invite_and_bye[407-MD5]",),
    "digest 407, SHA-256": ("sip_out::test_digest_for_invite_and_bye[407-SHA-256]",),
    "wrong password: one try": ("sip_out::test_wrong_password_stops", "placing::test_a_trunk_that_is_never_satisfied"),
    "stale: one more": ("sip_out::test_stale_is_tried_once_more",),
    "a BYE that is challenged": (
        "sip_out::test_digest_for_invite_and_bye",
        "placing::test_a_trunk_that_challenges_invite_and_bye",
    ),
    "INVITE repeated": ("sip_in::test_repeats_raise_one_call", "sessions::test_everything_repeated_is_one_call"),
    "200 repeated": (
        "sip_out::test_answer_says_description_and_call_id",
        "sip_forks::test_a_repeat_of_the_first_answer_with_other_fields_is_no_branch",
    ),
    "BYE repeated, also after the leg was freed": ("sip_in::test_repeats_raise_one_call",),
    "a tenth lost on the way to us, from us, and both": ("sip_load::test_a_tenth_of_all_messages_lost[2]",),
    "200 calls a second": ("sip_load::test_calls_in[3]",),
    "100 bridged calls a second": ("sip_load::test_bridged_calls[3]",),
    "the ACK never comes": ("sip_in::test_ack_never_arrives", "arriving::test_no_ack"),
    "repeats of the 200 are capped at T2": ("sip_in::test_ack_never_arrives",),
    "a callee that says nothing": ("sip_out::test_far_end_that_says_nothing", "placing::test_a_callee_that_says_nothing"),
    "180, 183, 180, 183, 200 from us": ("sip_in::test_several_18x_then_answer",),
    "180 from us again each minute": ("sip_in::test_ringing_is_told_again_each_minute",),
    "180, 183, 181, 183, 200 to us": ("sip_out::test_several_18x_then_answer",),
    "a second 200 from a fork": (
        "sip_forks::test_a_second_branch_is_acknowledged_and_let_go",
        "placing::test_a_second_branch_that_answers_is_let_go",
    ),
    "hold by us: a tune is heard, and nobody": ("engine_sound::test_a_leg_on_hold_hears_music_and_is_not_heard",),
    "INFO with a key, and without a body": (
        "sip_dialog::test_info_is_passed_on",
        "engine_sound::test_a_key_in_info_stops_a_prompt",
    ),
    "a telephone without telephone-event": ("engine_sound::test_keys_as_tones_of_a_telephone_without_events",),
    "OPTIONS in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-OPTIONS--200]",),
    "UPDATE in a dialog, without a description": (
        "sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-UPDATE--200]",
    ),
    "MESSAGE in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-MESSAGE--405]",),
    "SUBSCRIBE in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-SUBSCRIBE--405]",),
    "NOTIFY in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-NOTIFY--489]",),
    "NOTIFY about a transfer of ours, and about none": (
        "sip_transfers::test_a_transfer_that_is_done",
        "sip_transfers::test_a_notify_before_the_answer_to_the_refer",
        "sip_transfers::test_notifies_about_something_else",
    ),
    "PRACK in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-PRACK--405]",),
    "an unknown method in a dialog": ("sip_dialog::test_every_method_is_answered_and_the_call_goes_on[answered-FOO--405]",),
    "REFER in a dialog: 202 once it is taken, NOTIFYs, and no hang-up": (
        "sip_transfers::test_a_transfer_is_taken_and_its_progress_told",
        "sip_transfers::test_a_transfer_is_refused_and_the_next_one_taken",
        "engine_transfers::test_a_transfer_that_fails_leaves_the_far_end_where_it_is",
    ),
    "REFER that call control does not answer": (
        "engine_transfers::test_a_transfer_that_call_control_does_not_answer_is_refused",
    ),
    "REFER for an attended transfer, for several, for another method, unreadable": (
        "sip_transfers::test_what_is_refused_without_asking",
    ),
    "REFER before the answer": ("sip_transfers::test_a_call_that_is_not_answered_is_not_transferred",),
    "REFER with Refer-Sub: false": ("sip_transfers::test_a_far_end_that_wants_to_be_told_nothing",),
    "a NOTIFY that is refused, or never answered": (
        "sip_transfers::test_a_notify_that_fails_harms_nothing",
        "sip_transfers::test_a_notify_that_nobody_answers_harms_nothing",
    ),
    "we hang up while a NOTIFY waits": ("sip_transfers::test_the_last_word_of_a_transfer_goes_out_before_our_bye",),
    "BYE while a REFER waits": ("sip_transfers::test_the_call_ends_while_a_transfer_waits_for_a_word",),
    "our REFER: done, failed, refused, unanswered": (
        "sip_transfers::test_a_transfer_that_is_done",
        "sip_transfers::test_a_notify_before_the_answer_to_the_refer",
        "sip_transfers::test_a_far_end_that_does_not_transfer",
        "sip_transfers::test_a_far_end_that_does_not_answer_the_refer",
    ),
    "a REFER and a NOTIFY that are challenged": ("sip_transfers::test_a_refer_and_a_notify_that_are_challenged",),
    "OPTIONS": ("sip_dialog::test_options_outside_of_a_call", "sipp_in::test_options_is_answered"),
    "an unknown method": ("sip_dialog::test_requests_that_belong_to_no_call[FOO-False-405]",),
    "a request of an unknown dialog": (
        "sip_dialog::test_requests_that_belong_to_no_call[BYE-True-481]",
        "sip_dialog::test_requests_that_belong_to_no_call[INVITE-True-481]",
    ),
    "a stray CANCEL": ("sip_dialog::test_requests_that_belong_to_no_call[CANCEL-False-481]",),
    "an old CSeq in a dialog, and after its end": (
        "sip_dialog::test_old_cseq",
        "sip_dialog::test_bye_with_an_old_cseq_after_the_end",
    ),
    "Require: 100rel": ("sip_gate::test_required_extensions",),
    "a Contact with transport=UDP in capitals": ("sip_in::test_crossing_byes",),  # the scripted caller always writes it so
    "an INVITE without Contact": (
        "sip_gate::test_invites_that_cannot_be_answered",
        "sip_torture::test_a_wrong_message_is_answered",
    ),
    "an INVITE without Call-ID or with a From that cannot be read": (
        "sip_torture::test_a_wrong_message_is_answered[no_call_id]",
        "sip_torture::test_a_wrong_message_is_answered[from_with_an_open_quote]",
    ),
    "an INVITE without a description": (
        "sip_in::test_late_offer_is_answered_in_the_ack",
        "arriving::test_an_offer_in_the_200_is_answered_in_the_ack",
    ),
    "a tel: request URI": (
        "sip_in::test_destination_is_the_user_of_the_request_uri[tel:+15551234;phone-context=example.org;npdi-+15551234]",
    ),
    "Max-Forwards of zero": ("sip_torture::test_an_odd_message_is_a_call[max_forwards_of_zero]",),
    "a body shorter than its Content-Length": ("sip_gate::test_body_shorter_than_its_length",),
    "requests of 8 and 60 kB": ("sip_gate::test_large_requests[8000]", "sip_gate::test_large_requests[60000]"),
    "ten kinds of garbage": ("sip_gate::test_garbage_is_counted_and_not_echoed",),
    "UTF-8 and commas in names": ("sip_in::test_source_is_the_user_of_a_number_else_the_uri",),
    "a body that is not ASCII": ("sip_in::test_body_that_is_not_ascii_arrives_whole",),
    "a limit of live legs": ("sip_gate::test_live_legs_are_limited",),
    "our own INVITE comes back": (
        "phone::test_one_number_of_this_server_reaches_another_over_sip",
        "sipp_in::test_a_call_that_goes_round_in_circles_is_stopped_after_five",
    ),
    "nobody at the address": ("sip_out::test_far_end_that_is_not_there",),
    "IPv6 in Via, Contact and description": (
        "sip_ipv6::test_a_via_is_refused",
        "sip_ipv6::test_a_contact_is_refused",
        "arriving::test_a_call_that_cannot_be_answered[IPv6]",
        "placing::test_an_answer_that_cannot_be_used[IPv6]",
    ),
    "Reason both ways": (
        "bridged::test_the_caller_hangs_up",
        "bridged::test_the_callee_hangs_up_and_the_flow_is_over",
        "arriving::test_the_caller_gives_up_while_the_callee_rings",
        "placing::test_a_callee_that_refuses",
    ),
    "no garbage is left for the collector": ("sip_process::test_legs_of_every_kind_leave_nothing_for_the_collector",),
}
# fmt: on
