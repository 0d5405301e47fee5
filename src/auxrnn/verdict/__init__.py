"""Whether a trained model is any good, in words: its score beside the floors, and what its learning curve says."""

from auxrnn.verdict.evidence import Evidence as Evidence
from auxrnn.verdict.evidence import Rival as Rival
from auxrnn.verdict.evidence import gather_evidence as gather_evidence
from auxrnn.verdict.judge import Finding as Finding
from auxrnn.verdict.judge import Verdict as Verdict
from auxrnn.verdict.judge import judge as judge
