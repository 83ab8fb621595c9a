"""How gaze was recorded and how it is used; what is not given is inferred from the tables."""

import dataclasses
import math
import re
from collections.abc import Mapping

from hd2s_tf.data.gaze import exports
from hd2s_tf.data.gaze.events import IDT, IVT, Detection
from hd2s_tf.data.gaze.maps import Sigma
from hd2s_tf.errors import BadInputError

# What a table's rows become: what the table holds (I-VT where these are samples); its fixations; samples made
# fixations by either method; or samples as they are.
AUTO, TABLE, RAW = "auto", "table", "raw"
FIXATIONS = (AUTO, TABLE, IVT, IDT, RAW)
COORDINATES = {
    "stimulus": exports.STIMULUS,
    "screen": exports.SCREEN,
    "centred": exports.CENTRED,
    "relative": exports.RELATIVE,
    "relative_up": exports.RELATIVE_UP,
    "relative_screen": exports.RELATIVE_SCREEN,
}
# What the width of a stimulus is taken for where nothing tells, in degrees of visual angle.
USUAL_WIDTH = 30.0


@dataclasses.dataclass(frozen=True)
class GazeSettings:
    """Settings of the layout `gaze`.

    Attributes:
      tables: files, or patterns of such; empty for those that lie in the data set's folder.
      columns: (role, header) pairs that go before the known ones; the roles are `exports.ROLES`.
      coordinates: a key of `COORDINATES`; None to find out.
      time_unit: a key of `exports.TIME_UNITS`; None to find out.
      clock: `exports.STIMULUS_CLOCK` or `exports.RECORDING_CLOCK`; None for the export's.
      screen: (height, width) in pixels of the screen, which showed the stimulus as large as fits; None if unknown.
      pixels_per_degree: of the screen, or of the stimulus without `screen`; None if unknown.
      fixations: one of `FIXATIONS`.
      detection: of fixations in samples.
      sigma: of the maps.
      split_list: a table with the columns video and split; None without one.
      observers: "all", "odd", "even" (by their order, the first being odd), or names separated by commas.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    coordinates: str | None = None
    time_unit: str | None = None
    clock: str | None = None
    screen: tuple[int, int] | None = None
    pixels_per_degree: float | None = None
    fixations: str = AUTO
    detection: Detection = Detection()
    sigma: Sigma = Sigma()
    split_list: str | None = None
    observers: str = "all"

    @classmethod
    def parse(cls, values: Mapping[str, object] | None) -> "GazeSettings | None":
        """Settings from what a user gives, by name.

        Args:
          values: as the attributes, `gaze` being the tables, and some as text: "role=header" in `columns`, "1920x1080"
            (width first) as `screen`, "1deg" as `sigma`; the attributes of `Detection`; `distance` and `screen_width`
            in place of `pixels_per_degree`.

        Returns:
          The settings; None for None.

        Raises:
          BadInputError: text of another form, or values that make no sense.
        """
        if values is None:
            return None
        values = dict(values)
        detection = {name: values.pop(name) for name in ("velocity", "dispersion", "shortest") if name in values}
        width, distance = values.pop("screen_width", None), values.pop("distance", None)
        parsed = {
            "tables": tuple(values.pop("gaze", ())),
            "columns": tuple(_role_and_header(text) for text in values.pop("columns", ())),
            "screen": _size(values.pop("screen", None)),
            "sigma": Sigma.parse(values.pop("sigma")) if "sigma" in values else Sigma(),
            "detection": Detection(**detection),
        }
        if (width is None) != (distance is None) or (width is not None and parsed["screen"] is None):
            raise BadInputError("screen_width, distance and screen tell the pixels of a degree together, not alone")
        if width is not None:
            if min(width, distance) <= 0:
                raise BadInputError(f"screen_width is {width} and distance {distance}: both must be positive")
            values["pixels_per_degree"] = pixels_per_degree(parsed["screen"][1], width, distance)
        settings = cls(**parsed, **values)
        settings.check()
        return settings

    def check(self) -> None:
        """Raises BadInputError for a value out of range."""
        for name, known in (
            ("coordinates", COORDINATES),
            ("time_unit", exports.TIME_UNITS),
            ("clock", (exports.STIMULUS_CLOCK, exports.RECORDING_CLOCK)),
            ("fixations", FIXATIONS),
        ):
            value = getattr(self, name)
            if value not in (None, *known):
                raise BadInputError(f"{name} is {value!r}: it is one of {', '.join(known)}")
        if self.screen is not None and min(self.screen) < 1:
            raise BadInputError(f"the screen is {self.screen[1]}x{self.screen[0]} pixels: both must be positive")
        if self.pixels_per_degree is not None and not 0 < self.pixels_per_degree < math.inf:
            raise BadInputError(f"pixels_per_degree is {self.pixels_per_degree}: it must be positive")
        if self.sigma.unit == "deg" and self.pixels_per_degree is None:
            raise BadInputError("sigma is in degrees, and nothing tells how many pixels a degree has")
        self.detection.check()

    def description(self) -> dict:
        """As JSON values, without paths, which may differ from one machine to the next."""
        values = dataclasses.asdict(self)
        del values["tables"], values["split_list"]
        return {**values, "columns": dict(self.columns)}

    @property
    def about(self) -> str | None:
        """What a table must hold; None for either."""
        wanted = {TABLE: exports.FIXATIONS, IVT: exports.SAMPLES, IDT: exports.SAMPLES, RAW: exports.SAMPLES}
        return wanted.get(self.fixations)


def _role_and_header(text: str) -> tuple[str, str]:
    role, separator, header = text.partition("=")
    if not separator:
        raise BadInputError(f"columns has {text!r}: each is a role and a header, as in x=GazeX")
    return role.strip(), header.strip()


def _size(text: str | None) -> tuple[int, int] | None:
    """(height, width) from text that has the width first."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    if not found:
        raise BadInputError(f"the screen is {text!r}: it is a width and a height, as in 1920x1080")
    return int(found[2]), int(found[1])


def pixels_per_degree(screen_pixels: int, screen_width: float, distance: float) -> float:
    """Pixels of the screen in a degree of visual angle around its centre.

    Args:
      screen_pixels: its width in pixels.
      screen_width: its width in any unit of length.
      distance: from the eyes to the screen in the same unit.
    """
    return screen_pixels / screen_width * 2 * distance * math.tan(math.radians(0.5))
