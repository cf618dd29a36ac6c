// What Python and the pages say to each other, for `make lint-js` alone: no browser loads this file. For each
// view: the traits that both sides share, and the questions that the page asks. A question `name` is answered
// by the Python method `on_name`. tests/widgets/test_page_types.py compares the names with Python's.

// ------------------------------------------------------------------------------------------------- the frame

/** The page's end of a view: traits T, questions Q. */
interface Model<T, Q> {
  /** Of types only: which questions the view answers. */
  readonly questions?: Q;
  get<K extends keyof T>(name: K): T[K];
  set<K extends keyof T>(name: K, value: T[K]): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, heard: (message: Reply) => void): void;
  off(event: string, heard: (message: Reply) => void): void;
}

/** An answer as it comes in: to which question, and the error if there was one. */
interface Reply {
  req?: string;
  error?: string;
}

/** Any questions: each takes an object of values, or nothing, and answers with an object. */
type Questions<Q> = { [K in keyof Q]: (values: never) => object };

/** What JupyterLab calls `render` with. */
interface Place<T, Q> {
  model: Model<T, Q>;
  el: HTMLElement;
  host: { getWidget(reference: string): Promise<Widget> };
}

/** Another view, drawn inside this one. */
interface Widget {
  render(place: { el: HTMLElement; signal: AbortSignal }): Promise<void>;
}

/** What an outcome is told with: words, and whether they are an error. */
type Say = (text: string, bad?: boolean) => void;

/** An answer with words for the person. */
interface Outcome {
  message?: string;
}

type Child = Node | string | number | null | undefined | false | Child[];

/** Attributes, listeners and the properties `value`, `checked`, `disabled` of an element made by `h`. */
interface Props {
  onclick?: (event: MouseEvent) => unknown;
  onkeydown?: (event: KeyboardEvent) => unknown;
  onchange?: (event: Event) => unknown;
  oninput?: (event: Event) => unknown;
  onsubmit?: (event: SubmitEvent) => unknown;
  ontoggle?: (event: Event) => unknown;
  [attribute: string]: string | number | boolean | null | undefined | ((event: never) => unknown);
}

// ------------------------------------------------------------------------------------------ rows and samples

interface Column {
  name: string;
  /** A share of the width, or a width in CSS; 0: not shown until asked for. */
  width: number | string;
  numeric: boolean;
  /** Whether "clear" leaves its filter as it is. */
  lasting: boolean;
  /** Why it cannot be filtered by now, though it is a facet. */
  closed: string;
  /** A facet's values with their counts within the other filters; null where nothing can be chosen. */
  values: [value: string, count: number | null][] | null;
}

/** Rows in the order shown, from place `start` on. */
interface Page {
  start: number;
  version: number;
  rows: string[][];
}

interface TableTraits {
  /** A column's name, with "-" in front for descending. */
  sort: string;
  filters: Record<string, string>;
  search: string;
  cursor: number;
  count: number;
  total: number;
  version: number;
  drawn: number;
  head: Page;
  columns: Column[];
  /** Why there are no rows at all, and how to get some; empty where there are some. */
  missing: string;
}

interface TableQuestions {
  page(values: { start: number; count: number }): Page;
}

/** A table of a run's samples (selection.py). */
interface SampleTable extends TableTraits {
  /** Whose decisions these are. */
  annotator: string;
  /** Names of the filters that were kept. */
  saved: string[];
  /** Why nothing can be decided or kept, empty where it can. */
  blocked: string;
}

interface SampleTableQuestions extends TableQuestions {
  row(values: { at: number }): { id: string | null; tags: string };
  tag(values: { id: string; tags: string }): Outcome;
  copy(values: { at: number }): { sample: string; query: string; code: string };
  /** The query of a link to what is shown, with the row at this place if there is one. */
  place(values: { at: number }): { query: string };
  come_back(values: { place: string }): object;
  save(values: { form: "jsonl" | "csv" }): { name: string; text: string; message: string };
  keep(values: { name: string }): Outcome;
  recall(values: { name: string }): Outcome;
  forget(values: { name: string }): Outcome;
}

interface Call {
  name: string;
  /** Names, and values as JSON. */
  arguments: [name: string, value: string][];
}

interface Answer {
  calls: Call[];
  reply: string;
}

interface Prediction extends Answer {
  /** Why it did not parse, empty where it did. */
  error: string;
  detail: string;
  /** As the policy wrote it. */
  raw?: string;
}

type Comparison = "same" | "differs" | "label only" | "prediction only";

/** Two calls side by side. */
interface Pair {
  label: string | null;
  prediction: string | null;
  rows: [name: string, label: string, prediction: string, comparison: Comparison][];
}

interface Judgement {
  /** The verdict's name. */
  name: string;
  rationale: string;
  confidence: number;
  /** The same probabilities before anything is weighed, where they are known. */
  start: [label: number, prediction: number] | null;
  /** Probabilities that the label and the prediction are right, where the judge gives them. */
  right: [label: number, prediction: number] | null;
  judge: string;
  /** Verdict -> votes. */
  votes: Record<string, number>;
  /** `says`: how it counts. */
  evidence: [name: string, forLabel: number, forPrediction: number, words: string, says: string][];
  /** Why the probabilities do not lean as the evidence does; empty where they do. */
  why: string;
}

/** A sample in full (`detail.py`). */
interface SampleDetail {
  id: string;
  facts: [name: string, value: string][];
  tools: { name: string; description: string; parameters: string }[];
  messages: { role: string; content: string; calls: Call[] }[];
  label: Answer;
  /** What a right reply must mention or do. */
  demands: string[];
  prediction?: Prediction;
  aligned?: Pair[];
  tokens?: [text: string, logprob: number][];
  perplexity?: number;
  state?: string;
  faults?: string[];
  verdict?: Judgement;
}

/** One thing that is wrong with a typed label: number of the call (-1: the text), argument, words. */
type Fault = [call: number, argument: string, words: string];

// ------------------------------------------------------------------------------------------------- ProbeView

interface ProbeTraits extends SampleTable {
  threshold: number;
  /** Lowest and highest perplexity shown; empty: all. */
  brush: number[];
  can_undo: boolean;
}

interface ProbeQuestions extends SampleTableQuestions {
  /** `width` in pixels; 0: not known yet. */
  chart(values: { width: number }): { svg: string; states: Record<string, number>; version: number };
  sample(values: { at: number }): { sample: SampleDetail | null };
  threshold(values: { value: number; keep: boolean }): Outcome;
  undo(): Outcome;
}

// ------------------------------------------------------------------------------------------ DisagreementView

interface DisagreementTraits extends SampleTable {
  /** Sample id -> text of a label that is being edited. */
  drafts: Record<string, string>;
  /** Sample id -> note that waits for a verdict. */
  notes: Record<string, string>;
  progress: {
    reviewed: number;
    left: number;
    /** Rows that both judged, without those accepted in bulk; where some were decided blind, only these. */
    n: number;
    observed: number | null;
    /** With its 95% interval; null while there are fewer than `needs` rows, or one verdict on all of them. */
    kappa: [kappa: number, low: number, high: number] | null;
    needs: number;
    together: number;
    blind: boolean;
  };
  /** Hide the judge's verdict on a row until the person has decided. */
  blind: boolean;
  choices: [name: string, words: string, effect: string][];
  iteration: number;
}

/** A person's decision on a verdict. */
interface VerdictDecision {
  verdict: string;
  author: string;
  time: string;
  reason: string;
  label: Answer | null;
}

/** The selected row; `id` null: no row passes the filter. */
type ReviewedRow =
  | { id: null }
  | {
      id: string;
      /** Without a verdict where it is hidden. */
      detail: SampleDetail;
      /** The label as text for editing. */
      text: string;
      decision: VerdictDecision | null;
    };

interface DisagreementQuestions extends SampleTableQuestions {
  check(values: { text: string; tools: SampleDetail["tools"] }): { faults: Fault[] };
  detail(values: { at: number }): ReviewedRow;
  /** Texts that a page had kept. */
  restore(values: { drafts: Record<string, string>; notes: Record<string, string> }): Outcome;
  decide(values: { id: string; verdict: string; note: string }): Outcome;
  label(values: { id: string; text: string; note: string }): Outcome;
  note(values: { id: string; note: string }): Outcome;
  undo(): Outcome;
  skip(): Outcome;
  /** What accepting the judge's verdicts would decide: rows, rows of each verdict, rows without a verdict. */
  bulk(): { count: number; of: Record<string, number>; rest: number };
  accept(values: { count: number }): Outcome;
}

// --------------------------------------------------------------------------------------------- ExpansionView

interface ExpansionTraits extends TableTraits {
  /** Id of the current child. */
  child: string;
  /** Id of the child whose editor is open; empty: none. */
  editing: string;
  drafts: Record<string, Draft>;
  iteration: number;
  blocked: string;
}

interface Draft {
  request: string;
  label: string;
}

/** A piece of two texts: in both, in the first only, or in the second only. */
type Piece = ["=" | "-" | "+", string];

interface ChildCard {
  id: string;
  state: { name: string; words: string; time?: string; decided: boolean };
  strategy: string;
  /** Of the seed and of the child. */
  kinds: [string, string];
  checks: [name: string, passed: boolean, detail: string][];
  request: Piece[];
  calls: Pair[];
  reply: Piece[] | null;
  /** Names of tools that only the seed has, and that only the child has. */
  tools: [gone: string[], added: string[]];
  turns: number;
  text: Draft;
}

/** The selected error seed; `id` null: no seed passes the filter. */
type SeedCard =
  | { id: null; children: [] }
  | {
      id: string;
      pattern: string;
      /** Whether it is still an error seed under the verdicts in force. */
      standing: boolean;
      relabelled: boolean;
      detail: SampleDetail & { verdict: Judgement };
      children: ChildCard[];
    };

type Novelty = [value: number, nearest: string, request: string];

interface ExpansionQuestions extends TableQuestions {
  check(values: { text: string; tools: SampleDetail["tools"] }): { faults: Fault[] };
  seed(values: { place: number }): SeedCard;
  restore(values: { drafts: Record<string, Draft> }): Outcome;
  /** While `left` is above 0, there are no rows yet: ask again. */
  novelty(values: { seed: string }): { left: number; rows?: Novelty[] };
  sample(values: { id: string }): { detail: SampleDetail };
  decide(values: { id: string; value: "accept" | "reject" }): Outcome;
  edit(values: { id: string; request: string; label: string }): Outcome;
  undo(values: { id: string }): Outcome;
  /** Answers with the place of its seed, if it is shown, and with its child. */
  undo_last(): Outcome & { place?: number | null; id?: string };
}

// ---------------------------------------------------------------------------------------------- TrainingView

interface TrainingTraits {
  /** SVG texts. */
  charts: string[];
  /** A table for each trainer that has taken few steps. */
  steps: [name: string, head: string[], rows: string[][]][];
  /** What each training changed; empty: none has begun. */
  outcome: [] | [head: string[], rows: string[][]];
  /** Of each quantity shown. */
  meanings: [name: string, meaning: string][];
  /** The latest GRPO step's completions; empty where there is none. */
  rollouts: Rollouts | Record<string, never>;
  progress: string;
  /** Why there is nothing to show, and what to do. */
  missing: string;
  fault: string;
  watching: boolean;
  finished: boolean;
}

interface Rollouts {
  iteration: number;
  step: number;
  total: number;
  rows: [request: string, text: string, reward: number, error: string][];
}

// -------------------------------------------------------------------------------------------- JudgeCheckView

interface JudgeCheckTraits extends TableTraits {
  /** Kind of error, trials, and a text for each measure. */
  card: [kind: string, trials: number, ...measures: string[]][];
  measures: [name: string, meaning: string][];
  lead: string;
  about: string[];
  chart: string;
  /** What a check costs; empty where none can be made from here. */
  offer: string;
  running: boolean;
  /** How far the check is, or what came of it. */
  progress: string;
  /** Percent of the check that are done; -1: not known. */
  share: number;
  failed: boolean;
  /** Changes whenever another card is to be shown. */
  shown: number;
}

interface Trial {
  kind: string;
  expected: string;
  /** The right one. */
  answer: Answer;
  verdicts: string[];
  rationale: string;
}

interface JudgeCheckQuestions extends TableQuestions {
  sample(values: { at: number }): { sample: SampleDetail; trial: Trial } | { sample: null; trial: null };
  /** What is to be asked before a check; empty where it costs nothing. */
  cost(): { question: string };
  check(): object;
  stop(): object;
  /** Shows what came of a check that has ended since. */
  renew(): object;
}

// ----------------------------------------------------------------------------------------------- CompareView

interface CompareTraits extends TableTraits {
  /** The two policies, in words. */
  names: string[];
  before: string;
  after: string;
  /** The policies that each may be. */
  choices: [before: string[], after: string[]];
  counts: [change: string, samples: number][];
  about: string;
}

interface CompareQuestions extends TableQuestions {
  sample(values: { at: number }): {
    before: SampleDetail | null;
    after: SampleDetail | null;
    change: string;
  };
}

// --------------------------------------------------------------------------------------------------- TryView

interface TryTraits {
  /** Of the answer that is being written; empty where none is. */
  pending: { messages?: SampleDetail["messages"]; by?: string };
  policies: string[];
  /** Those whose weights are not there. */
  lost: string[];
  policy: string;
  offered: [name: string, about: string, schema: string][];
  /** Names of the tools on offer. */
  chosen: string[];
  system: string;
  draft: string;
  /** An answer's number, and its right label while a person types it; empty: no form is open. */
  written: { number?: number; text?: string };
  /** Id of the sample that was kept of the newest answer, empty where none was. */
  kept: string;
  /** All samples that were kept in this run, the newest first. */
  tried: [id: string, request: string, label: string][];
  /** A request to begin with; empty where there is none. */
  example: string;
  /** Why no sample can be kept, empty where it can. */
  blocked: string;
}

/** The dialogue, and the newest answer as the sample's label; without `tokens` there is no answer. */
interface TryAnswer extends NextStep {
  message: string;
  sample: SampleDetail;
  objections: string[];
  /** The answer as text for editing. */
  label: string;
  /** The policy that gave it. */
  by: string;
  /** Whether its calls were executed, so that the answer is a turn of the dialogue. */
  executed: boolean;
  /** Messages between the last request and this answer: results, and the calls that led to them. */
  after: number;
  /** Whether those of the right answer were, in its place. */
  replaced: boolean;
  /** Counts the answers: which one this is. */
  number: number;
}

/** What can be done with an answer. */
interface NextStep {
  /** The dialogue as text, for a page that is loaded again; empty where none has begun. */
  memory: string;
  /** The right answer that was kept of it, which stands in its place. */
  made: SampleDetail["label"] | null;
  /** Whether the dialogue continues from something else, which was executed before. */
  late: boolean;
  /** Its text for editing, where it was kept in this dialogue. */
  text: string;
  /** What would be executed, empty for no call and for those that cannot be. */
  runs: string;
  /** Why its calls cannot be executed. */
  stuck: string;
}

interface TryQuestions {
  check(values: { text: string; tools: SampleDetail["tools"] }): { faults: Fault[] };
  state(): TryAnswer;
  /** Continues what a page had kept, unless a dialogue has begun. */
  resume(values: { memory: string }): TryAnswer;
  ask(values: { request: string; again: boolean }): TryAnswer;
  execute(values: { number: number }): TryAnswer;
  save(values: { text: string; number: number }): NextStep & { message: string };
  /** Removes a kept sample; `text` is what that of the newest answer was made of. */
  take_back(values: { id: string }): NextStep & { message: string };
  fresh(): TryAnswer;
}

// --------------------------------------------------------------------------------------------------- LoopMap

/** What was clicked on the map: nothing, a bar, a ribbon, or a cell of the errors. */
type MapSelection =
  | []
  | ["node", string]
  | ["flow", source: string, target: string]
  | ["errors", iteration: number, tool: string, kind: string];

interface LoopMapTraits extends TableTraits {
  selected: MapSelection;
  heat: number;
  against: boolean;
  heats: number[];
  views: [name: string, words: string][];
  /** Reference of the view that is open below the map. */
  opened: string | null;
  /** What was selected when that view was opened, and what it shows of it. */
  opened_of: [] | [selected: MapSelection, shows: string];
}

type Flip = [before: string, after: string, samples: number, fixed: number, broken: number];

interface LoopMapQuestions extends TableQuestions {
  refresh(): Outcome;
  /** `width` in pixels; 0: not known yet. `legend`: short names on the map with their meaning. */
  map(values: { width: number }): {
    svg: string;
    note: string;
    flips: Flip[];
    legend: [name: string, meaning: string][];
  };
  heat(values: { iteration: number; against: boolean }): {
    svg: string;
    tools: string[];
    kinds: string[];
    empty: boolean;
    first: boolean;
  };
  sample(values: { at: number }): { sample: SampleDetail | null; fits: string[] };
  open(values: { view: string }): Outcome;
  close(): Outcome;
}
