"""`callwright doctor`: what is wrong, or soon will be, with a data folder, its server and the machine they are on.

Checks stand by what they look at: `files`, `database`, `counters`, `records`, `ports`, `certificate`, `host`, `server`. Each
yields findings; `examination.examine` runs them all. They repair nothing, and nothing outside this machine is contacted, names
of trunks apart, which are resolved. `repair.fix` makes anew what is kept beside the rows.
"""

from callwright.doctor.examination import Scene, examine
from callwright.doctor.findings import Finding, Level, exit_status, settings_faults, worst
from callwright.doctor.machine import Machine
from callwright.doctor.repair import fix

__all__ = ["Finding", "Level", "Machine", "Scene", "examine", "exit_status", "fix", "settings_faults", "worst"]
