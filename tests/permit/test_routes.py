"""Routes have one form, and match as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.facts import Team
from usherd.options import STRICT, with_values
from usherd.permit.route_form import canonical_route, well_formed_method
from usherd.permit.route_match import ModelInRoute, RouteSet
from usherd.policy import Grant, RouteRules, TeamRules
from worlds import CHAT, World, policy, role


@pytest.mark.parametrize(
    ("route", "canonical"),
    [
        ("/", "/"),
        ("/v1/models", "/v1/models"),
        ("/v1/models/", "/v1/models"),
        ("/v1/models?x=/key/generate", "/v1/models"),
        ("/v1/models/?x", "/v1/models"),
        ("/v1beta/models/gpt:generateContent", "/v1beta/models/gpt:generateContent"),
        ("/.well-known/openid", "/.well-known/openid"),
        ("/v1/...", "/v1/..."),
        ("/v1/models?x?y", "/v1/models"),
        ("/" + "x" * 1023, "/" + "x" * 1023),
    ],
)
def test_a_canonical_route_is_cut_at_the_query_and_loses_one_trailing_slash(route: str, canonical: str) -> None:
    assert canonical_route(route) == canonical


AMBIGUOUS = [
    "",
    "?",
    "//",
    "///",
    "v1/models",
    "*",
    "http://x/v1/models",
    "//v1/models",
    "/v1//models",
    "/v1/models//",
    "/v1/./models",
    "/v1/../key/generate",
    "/..",
    "/.",
    "/v1/chat/..;/key",
    "/v1\\models",
    "/v1/models#x",
    "/v1/models;x",
    "/v1%2fmodels",
    "/key%2Fgenerate",
    "/key%252fgenerate",
    "/v1/models%00",
    "/v1/models%0a",
    "/v1/models\n",
    "/v1/models\x00",
    "/v1/mod els",
    "/v1/*",
    "/v1/mödels",
    "/v1/models\u2215x",
    "/" + "x" * 1024,
]


@pytest.mark.parametrize("route", AMBIGUOUS)
def test_a_route_that_can_be_read_in_two_ways_is_refused(route: str) -> None:
    assert canonical_route(route) is None


@pytest.mark.parametrize("route", AMBIGUOUS)
def test_an_ambiguous_route_is_denied_whatever_is_granted(route: str) -> None:
    world = World(policy=policy(roles=(role(grants=Grant(routes=("/*", CHAT), models=("*",))),)))

    assert world.reason(claims={"roles": "Reader"}, route=route) == "ROUTE_AMBIGUOUS"


ROUTES = (
    CHAT,
    "/v1/files/{file_id}",
    "GET /v1/batches/*",
    "/containers/*",
    "/a/{x:path}/end",
    "/m/{n:path}:generate",
    "/p/{x}.json",
)


@pytest.mark.parametrize(
    ("method", "route", "granted"),
    [
        ("POST", CHAT, True),
        ("", CHAT, True),
        ("POST", CHAT.upper(), False),
        ("POST", CHAT + "/x", False),
        ("GET", "/v1/files/abc", True),
        ("GET", "/v1/files", False),
        ("GET", "/v1/files/a/b", False),
        ("GET", "/v1/batches/1", True),
        ("GET", "/v1/batches/1/cancel", True),
        ("GET", "/v1/batches", False),
        ("POST", "/v1/batches/1", False),
        ("", "/v1/batches/1", False),
        ("GET", "/containers/1/files", True),
        ("GET", "/containersx", False),
        ("GET", "/containers", False),
        ("GET", "/a/b/c/end", True),
        ("GET", "/a/end", False),
        ("GET", "/m/org/model:generate", True),
        ("GET", "/m/:generate", False),
        ("GET", "/p/x.json", True),
        ("GET", "/p/xzjson", False),
    ],
)
def test_templates_match_on_segment_boundaries_and_as_a_whole(method: str, route: str, granted: bool) -> None:
    routes = RouteSet(ROUTES)

    assert routes.grants(method, route) is granted
    assert routes.grants(method, route) is granted  # remembered, the answer is the same


@pytest.mark.parametrize(
    ("pattern", "method", "route", "granted"),
    [
        ("/*", "GET", "/x", True),
        ("/*", "GET", "/x/y", True),
        ("/*", "GET", "/", False),
        ("GET /*", "GET", "/x", True),
        ("GET /*", "POST", "/x", False),
        ("/x/*", "GET", "/x/y", True),
        ("/x/*", "GET", "/x", False),
        ("/x/*", "GET", "/y/x/z", False),
        ("/x*", "GET", "/xy", False),
        ("/{a}/*", "GET", "/x/y/z", True),
        ("/{a}/*", "GET", "/x", False),
        ("/{a}/{b:path}", "GET", "/x/y/z", True),
        ("/{a}/b/{c}/d", "GET", "/x/b/y/d", True),
        ("/{a}/b/{c}/d", "GET", "/x/c/y/d", False),
        ("/a.b/{c}", "GET", "/a.b/x", True),
        ("/a.b/{c}", "GET", "/axb/x", False),
        ("/{c}/a.b", "GET", "/x/a.b", True),
        ("/{c}/a.b", "GET", "/x/axb", False),
        ("/{c}/a.b/*", "GET", "/x/axb/y", False),
        ("get /x", "get", "/x", False),
    ],
)
def test_what_is_no_placeholder_and_no_trailing_star_is_literal(
    pattern: str, method: str, route: str, granted: bool
) -> None:
    assert RouteSet([pattern]).grants(method, route) is granted


def test_routes_are_the_same_for_every_way_that_a_path_is_written_in() -> None:
    routes = RouteSet(["GET /x", "POST /x", "PUT /{a}", "/y"])

    assert [routes.grants(method, "/x") for method in ("GET", "POST", "PUT", "DELETE", "")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert routes.denies("", "/x")
    assert not routes.denies("DELETE", "/x")
    assert routes.grants("", "/y")
    assert routes.grants("DELETE", "/y")


def test_an_absent_method_matches_a_denial_and_not_a_grant() -> None:
    routes = RouteSet(["DELETE /v1/files/*"])

    assert (routes.grants("", "/v1/files/x"), routes.denies("", "/v1/files/x")) == (False, True)
    assert (routes.grants("GET", "/v1/files/x"), routes.denies("GET", "/v1/files/x")) == (False, False)


def test_what_denies_get_denies_head() -> None:
    routes = RouteSet(["GET /key/list"])

    assert (routes.denies("HEAD", "/key/list"), routes.grants("HEAD", "/key/list")) == (True, False)
    assert not RouteSet(["POST /key/list"]).denies("HEAD", "/key/list")


@pytest.mark.parametrize("method", ["get", "GET ", "G\nET", "X" * 17, "GÉT"])
def test_a_method_is_a_short_upper_case_word(method: str) -> None:
    assert well_formed_method("X" * 16)
    assert well_formed_method("")
    assert not well_formed_method(method)
    assert World().reason(claims={"roles": "Reader"}, method=method) == "METHOD_INVALID"


def test_a_denied_route_is_denied_whoever_grants_it() -> None:
    denying = role("no-chat", value="NoChat", grants=Grant(), deny=Grant(routes=("POST /v1/chat/*",)))
    world = World(policy=policy(roles=(role(), denying)))

    def reason(method: str) -> str:
        return world.reason(claims={"roles": ["Reader", "NoChat"], "scope": "admin"}, method=method)

    assert [reason(method) for method in ("POST", "", "GET")] == ["ROUTE_DENIED", "ROUTE_DENIED", "ALLOWED"]


def test_when_routes_are_listed_nothing_else_is_open_to_anyone() -> None:
    listed = RouteRules(allowed=(CHAT,), public=("/health",))
    world = World(policy=policy(routes=listed))

    assert world.reason(claims={"roles": "Reader"}) == "ALLOWED"
    assert world.reason(claims={"roles": "Reader"}, route="/v1/models", model=None) == "ROUTE_DENIED"
    assert world.reason(token="", route="/health", model=None) == "TOKEN_MISSING"


def test_one_grants_routes_never_go_with_anothers_models() -> None:
    chat = role("chat", value="Chat", grants=Grant(routes=(CHAT,), models=("gpt-4o",)))
    embed = role("embed", value="Embed", grants=Grant(routes=("/v1/embeddings",), models=("ada",)))
    world = World(policy=policy(roles=(chat, embed)))
    claims = {"roles": ["Chat", "Embed"]}

    reasons = [
        world.reason(claims=claims, route=route, model=model)
        for route in (CHAT, "/v1/embeddings")
        for model in ("gpt-4o", "ada")
    ]

    assert reasons == ["ALLOWED", "MODEL_NOT_GRANTED", "MODEL_NOT_GRANTED", "ALLOWED"]


GRANTED = frozenset({"/", "/v1/models", "/v1/files/x", CHAT})


@given(
    st.sampled_from(sorted(GRANTED)),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("/.%;\\#?*xX\n\x00é ")), max_size=4),
)
def test_no_change_of_a_granted_route_reaches_one_outside_the_table(route: str, changes: list[tuple[int, str]]) -> None:
    granting = RouteSet(GRANTED)
    for at, character in changes:
        route = route[:at] + character + route[at:]

    canonical = canonical_route(route)

    assert canonical is None or granting.grants("GET", canonical) == (canonical in GRANTED)


def test_the_model_in_a_url_is_found() -> None:
    finder = ModelInRoute(["/engines/{model}/completions", "/v1beta/models/{model:path}:generateContent"])

    assert finder.models("/engines/gpt/completions") == ("gpt",)
    assert finder.models("/v1beta/models/a/b:generateContent") == ("a/b",)
    assert finder.models("/engines/a/b/completions") == ()
    assert finder.models("/engines/gpt/completions") is finder.models("/engines/gpt/completions")


def test_templates_that_disagree_find_every_model_and_others_that_agree_find_it_once() -> None:
    finder = ModelInRoute(["/m/{model}/{x}", "/m/{x:path}/{model}", "/{x}/{model}/b"])

    assert finder.models("/m/a/b") == ("a", "b")
    assert finder.models("/n/a/c") == ()


@pytest.mark.parametrize("sources", ["every", "question"])
def test_a_model_in_the_url_is_a_model_wherever_one_is_required(sources: str) -> None:
    route = "/openai/deployments/{model}/chat/completions"
    rules = RouteRules(model_required=(route,), model_templates=(route,))
    chosen = policy(
        teams=TeamRules(routes=("/openai/*",)), routes=rules, options=with_values(STRICT, {"model.sources": sources})
    )
    world = World(policy=chosen, teams=(Team(id="a", models=("gpt-4o",)),))

    assert world.reason(claims={"groups": ["a"]}, route=route.format(model="gpt-4o"), model=None) == "ALLOWED"
    other = world.reason(claims={"groups": ["a"]}, route=route.format(model="o1"), model=None)
    assert other == ("MODEL_NOT_GRANTED" if sources == "every" else "ALLOWED")


def test_what_binds_language_models_binds_requests_of_no_known_method_too() -> None:
    rules = RouteRules(llm=(f"POST {CHAT}",), end_user_required=True)
    world = World(policy=policy(routes=rules))

    for method, reason in (("POST", "END_USER_REQUIRED"), ("", "END_USER_REQUIRED"), ("GET", "ALLOWED")):
        assert world.reason(claims={"roles": "Reader"}, method=method) == reason, method


@pytest.mark.parametrize(("letters", "is_kept"), [(16, True), (17, False)])
def test_a_method_that_can_be_none_is_matched_and_not_remembered(letters: int, is_kept: bool) -> None:
    routes = RouteSet(["/a", "GET /b"])

    assert routes.grants("G" * letters, "/a")
    assert not routes.grants("G" * letters, "/b")
    assert len(routes._known) == 2 * is_kept


@pytest.mark.parametrize(("route", "reason"), [("/azure/x", "END_USER_REQUIRED"), ("/v1/models", "ALLOWED")])
def test_routes_are_the_language_models_by_a_text_within_them(route: str, reason: str) -> None:
    reads_all = role(grants=Grant(routes=("/*",), models=("*",)))
    rules = RouteRules(llm=(CHAT,), llm_within=("/azure/",), end_user_required=True)

    assert (
        World(policy=policy(roles=(reads_all,), routes=rules)).reason(claims={"roles": "Reader"}, route=route) == reason
    )
