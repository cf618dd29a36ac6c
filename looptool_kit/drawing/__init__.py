"""Charts as SVG text.

They are the same in a live view and in a notebook without a kernel.

Elements that a page reacts to carry `data-*` attributes and a `<title>`; the page makes buttons of them. In a
notebook without a kernel a drawing stands as a `picture`.
"""

from looptool_kit.drawing._heatmap import heatmap as heatmap
from looptool_kit.drawing._histogram import NEAR_ONE as NEAR_ONE
from looptool_kit.drawing._histogram import histogram as histogram
from looptool_kit.drawing._intervals import forest as forest
from looptool_kit.drawing._intervals import intervals as intervals
from looptool_kit.drawing._lines import lines as lines
from looptool_kit.drawing._picture import picture as picture
from looptool_kit.drawing._sankey import Link as Link
from looptool_kit.drawing._sankey import Node as Node
from looptool_kit.drawing._sankey import sankey as sankey
from looptool_kit.drawing._svg import SERIES as SERIES
from looptool_kit.drawing._svg import STATE_COLOURS as STATE_COLOURS
