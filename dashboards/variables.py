"""The variables of the dashboards, and how links carry them from one to another."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
    VariableType,
)

from dashboards.links import HIDDEN
from dashboards.queries import PROMETHEUS


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable whose values are those of a label."""

    name: str
    label: str
    """Its name for people."""
    selector: str
    """The series that have the values."""
    is_single: bool = False
    """One value at a time; else several, or All."""
    is_hidden: bool = False
    """There for links only."""
    value_label: str = ""
    """The label that has the values, "" for the one of the variable's name."""


SERVER = Variable("server", "Server", "voice_exporter_build_info")
ONE_SERVER = Variable("server", "Server", "voice_exporter_build_info", is_single=True)
AGENTS = Variable("agent_name", "Agent", 'voice_target_latency_seconds{server=~"$server"}')
ONE_AGENT = Variable(
    "agent_name", "Agent", 'voice_target_latency_seconds{server="$server"}', is_single=True
)
CALLED_AGENTS = Variable("agent_name", "Agent", 'voice_calls_total{server=~"$server"}')
CALL_TYPES = Variable(
    "call_type",
    "Call type",
    'voice_target_latency_seconds{server=~"$server", agent_name=~"$agent_name"}',
)
CALL_TYPES_OF_ONE = Variable(
    "call_type",
    "Call type",
    'voice_target_latency_seconds{server="$server", agent_name="$agent_name"}',
)
PAGES_OF_ONE = Variable(
    HIDDEN,
    "Exporter",
    'voice_exporter_web_info{server="$server"}',
    is_single=True,
    is_hidden=True,
    value_label="url",
)
"""The address of the exporter's pages."""
VANTAGES = Variable("vantage", "Vantage", 'voice_sfu_target_rtt_ms{server="$server"}')


def models(variables: tuple[Variable, ...]) -> list[VariableModel]:
    """Return the variables as Grafana knows them, the data source first."""
    source = VariableModel(
        type_val=VariableType.DATASOURCE,
        name="datasource",
        label="Data source",
        query="prometheus",
        refresh=VariableRefresh.ON_DASHBOARD_LOAD,
    )
    return [source, *(_model(variable) for variable in variables)]


def carried(here: tuple[Variable, ...], there: tuple[Variable, ...]) -> str:
    """Return the part of an address that keeps the values of variables.

    Where one dashboard lets several be chosen and the other shows one, its choice stays behind:
    "All" would be no value there.
    """
    singles = {each.name: each.is_single for each in there}
    names = [
        each.name
        for each in here
        if not each.is_hidden and (each.is_single or not singles.get(each.name, True))
    ]
    kept = [name for name in names if name in singles]
    return "&".join(f"${{{name}:queryparam}}" for name in ("datasource", *kept))


def _model(variable: Variable) -> VariableModel:
    query = f"label_values({variable.selector}, {variable.value_label or variable.name})"
    model = VariableModel(
        type_val=VariableType.QUERY,
        name=variable.name,
        label=variable.label,
        query={"qryType": 1, "query": query, "refId": f"values of {variable.name}"},
        definition=query,
        datasource=PROMETHEUS,
        refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=VariableSort.NATURAL_ASC,
        multi=not variable.is_single,
        include_all=not variable.is_single,
    )
    if variable.is_hidden:
        model.hide = VariableHide.HIDE_VARIABLE
    if not variable.is_single:
        model.all_value = ".*"
        model.current = VariableOption(text="All", value="$__all")
    return model
