"""Views of a run for notebooks; installs as `looptool_kit.widgets`.

The kit itself never imports this package.
"""

from looptool_kit.widgets.compare import CompareView as CompareView
from looptool_kit.widgets.disagreement import DisagreementView as DisagreementView
from looptool_kit.widgets.expansion import ExpansionView as ExpansionView
from looptool_kit.widgets.judge_check import JudgeCheckView as JudgeCheckView
from looptool_kit.widgets.loopmap import LoopMap as LoopMap
from looptool_kit.widgets.probe import ProbeView as ProbeView
from looptool_kit.widgets.settings import settings_form as settings_form
from looptool_kit.widgets.training import TrainingView as TrainingView
from looptool_kit.widgets.trial import TryView as TryView
from looptool_kit.widgets.zoom import perplexity_chart as perplexity_chart
