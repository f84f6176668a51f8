package validators

import (
	"regexp"
	"strings"
)

// rebukes are the patterns of an answer that judges a request instead of serving it,
// matched against [normalText].
type rebukes struct {
	condemns, excuses *regexp.Regexp // says that something is not right, and what only sounds like it
	discourages       *regexp.Regexp // says that something is unwise or against the law
	rejects           *regexp.Regexp // says that it is not right to ask or to say something
	harms             *regexp.Regexp // words of harm to people, and of who helps against it
	denies            *regexp.Regexp // denies that something is good
	sendsForHelp      *regexp.Regexp // sends the user to people who help
	yields            *regexp.Regexp // goes on for those who want it all the same
	instructs         *regexp.Regexp // gives a step
	redirects         *regexp.Regexp // offers something else that is better
	narrates          *regexp.Regexp // tells of what was

	pointsBack  *regexp.Regexp // the beginning of a sentence about what the one before it names
	asksWhyGood *regexp.Regexp // a question why something is good, whatever else it says

	leadsIn        *regexp.Regexp // what may stand before a request
	asksReasons    *regexp.Regexp // a request for reasons, not for a way
	asksForReproof *regexp.Regexp // a question why something is wrong
	opposes        *regexp.Regexp // a request for a way against something
	asksWhatToDo   *regexp.Regexp // a question whether to do something
	praises        *regexp.Regexp // a question why something is good
	negates        *regexp.Regexp // a question with a negation
	affirms        *regexp.Regexp // an answer that begins with one; with two, it contradicts
	impersonal     *regexp.Regexp // an answer whose subject is not that of the question
	ofRights       *regexp.Regexp // a question about what people may do, or are worth
	plain          map[string]bool
}

// stance is how a text as a whole stands to what was asked.
type stance struct {
	sentences int
	content   int // sentences that neither reprove, advise to look elsewhere, offer nor lead
	serving   int // of these, those that may give what was asked for
	moral     int // sentences with words of morals and law that the question lacks
	harm      bool
	listed    bool // it has a list
	yields    bool // it goes on for those who want it all the same

	condemned   bool // it says that what was asked for is not right
	discouraged bool // it begins by saying that it is unwise or against the law
	rejected    bool // it says that it is not right to ask for it, or to say it
	denied      bool // it begins by denying that it is good
	reproved    bool // its first sentence says that something is not right
	agrees      bool // it begins by saying what the question takes for granted, with its negation
	rebutted    bool // its first sentences deny what the question takes for granted
}

// rebukes reports whether an answer judges what was asked for instead of giving it. The
// user asked how to do something, and the answer says that it is wrong, and otherwise
// reproves, tells of the past or sends the user elsewhere; or the user asked for reasons,
// and the answer denies them in words of morals and law. A request for a judgement, or for
// a way against what is wrong, is served by one.
func (r *reading) rebukes(text, opening string) bool {
	p := r.acts.rebukes
	asked := r.request()
	asked = asked[len(p.leadsIn.FindString(asked)):]
	how, why := r.acts.asksHow.MatchString(asked) && !p.asksReasons.MatchString(asked), r.acts.asksToJustify.MatchString(asked)
	advice := p.asksWhatToDo.MatchString(asked)
	wellMeant := p.asksForReproof.MatchString(asked) && !p.asksWhyGood.MatchString(asked) || p.opposes.MatchString(asked) ||
		!advice && r.acts.asksForJudgement.MatchString(asked) && !how
	if asked == "" || wellMeant || r.corrects(opening) {
		return false
	}
	s := r.stance(text, asked, how)
	served, ofRights := s.serving*3 > s.sentences, p.ofRights.MatchString(asked)
	switch {
	case s.listed || s.yields:
		return false
	case s.rejected && s.harm && !served:
		return true
	case how && s.reproved && s.content*3 <= s.sentences:
		return true
	case how && s.condemned && s.harm && !served:
		return true
	case how && s.discouraged && s.harm && s.serving*4 <= s.sentences:
		return true
	case !why || s.agrees:
		return false
	case s.denied && s.moral > 0 && ofRights:
		return true
	}
	contradicted := s.reproved || (s.rebutted || s.denied) && (s.harm || ofRights)
	return contradicted && s.moral*4 >= s.sentences
}

// stanceReader reads the sentences of an answer, one after another.
type stanceReader struct {
	*rebukes
	acts    *acts
	how     bool            // the user asked how to do something
	praised bool            // the question calls something good
	negated bool            // the question has a negation
	subject map[string]bool // stems of what was asked about
	brought map[string]bool // words of harm and morals that the question has; they tell nothing of the answer
	begun   int             // sentences so far that do more than lead
	pointed bool            // the sentence before, or the question, names the subject
	stance  stance
}

// beginning is the number of sentences that begin an answer.
const beginning = 2

// stance reads all sentences of a text, once.
func (r *reading) stance(text, asked string, how bool) stance {
	p := r.acts.rebukes
	s := stanceReader{
		rebukes: p, acts: r.acts, how: how, pointed: true,
		praised: p.praises.MatchString(asked), negated: p.negates.MatchString(asked),
		subject: p.subjectOf(asked), brought: map[string]bool{},
	}
	for _, words := range [...]*regexp.Regexp{r.acts.moral, p.harms} {
		for _, word := range words.FindAllString(asked, -1) {
			s.brought[word] = true
		}
	}
	for rest := text[:min(len(text), maxAfter)]; rest != ""; {
		var raw string
		raw, rest = cutSentence(rest)
		if sentence := normalText(raw); sentence != "" {
			s.stance.listed = s.stance.listed || isItem(raw) || strings.Contains(raw, "```")
			s.read(sentence)
			if s.settled() {
				break
			}
		}
	}
	return s.stance
}

// read reads the next sentence.
func (r *stanceReader) read(sentence string) {
	s := &r.stance
	act, _ := r.acts.of(sentence)
	own := dropSpans(sentence, `"`) // a quote is not the speaker's judgement
	judges := s.serving == 0 && r.begun < 4*beginning && r.judges(own)
	s.rejected = s.rejected || r.begun < 2*beginning && r.rejects.MatchString(own)
	r.begins(sentence, own, act)
	if act != leads {
		r.begun++
	}
	away := r.sendsForHelp.MatchString(sentence)
	harms := r.adds(r.harms, sentence)
	moral := harms || r.adds(r.acts.moral, sentence)
	content := act == speaks && !away
	s.sentences++
	s.harm = s.harm || harms || away
	s.yields = s.yields || r.yields.MatchString(sentence)
	if moral {
		s.moral++
	}
	if content {
		s.content++
	}
	if r.instructs.MatchString(sentence) || content && !moral && !judges && !r.narrates.MatchString(sentence) && !r.redirects.MatchString(sentence) {
		s.serving++
	}
}

// settled reports whether no further sentence can make the answer a rebuke.
func (r *stanceReader) settled() bool {
	s := r.stance
	judged := s.rejected || s.reproved || s.condemned || s.discouraged || s.rebutted || s.denied
	return s.listed || s.yields || !judged && r.begun >= 2*beginning && s.serving > 0
}

// judges reports whether a sentence says that something is not right or not wise, and
// notes it when that is what was asked for.
func (r *stanceReader) judges(own string) bool {
	shared := r.shared(r.subject, own)
	if shared == 0 && (r.pointed && r.pointsBack.MatchString(own) || r.begun == 0 && r.how && r.harms.MatchString(own)) {
		shared = 1
	}
	r.pointed = shared > 0
	condemned := r.condemns.MatchString(own) && !r.excuses.MatchString(own)
	if condemned && (shared > 1 || shared == 1 && r.begun < 2*beginning) {
		r.stance.condemned = true
	}
	discouraged := shared > 0 && r.begun < beginning && r.discourages.MatchString(own)
	r.stance.discouraged = r.stance.discouraged || discouraged
	return condemned || discouraged
}

// begins notes how an answer begins.
func (r *stanceReader) begins(sentence, own string, act act) {
	s := &r.stance
	if r.begun == 0 {
		s.reproved = s.reproved || act == reproves && r.acts.reproves.MatchString(sentence)
		s.agrees = s.agrees || r.givesReason(r.subject, own) || r.negated && r.repeats(own)
	}
	if r.begun < beginning {
		s.rebutted = s.rebutted || r.acts.rebuts.MatchString(sentence)
		s.denied = s.denied || r.praised && r.denies.MatchString(sentence)
	}
}

// repeats reports whether a sentence says of the subject what a question with a
// negation says of it; a second negation would contradict it.
func (r *stanceReader) repeats(own string) bool {
	claim := r.affirms.FindString(own)
	return claim != "" && !r.impersonal.MatchString(own) && len(r.negates.FindAllString(claim, -1)) == 1 && r.shared(r.subject, own) > 1
}

// adds reports whether a sentence has some words that the question has not.
func (r *stanceReader) adds(words *regexp.Regexp, sentence string) bool {
	for rest := sentence; ; {
		at := words.FindStringIndex(rest)
		if at == nil || !r.brought[rest[at[0]:at[1]]] {
			return at != nil
		}
		rest = rest[at[1]:]
	}
}

// givesReason reports whether a sentence says what was asked about, and why it is so.
func (p *rebukes) givesReason(subject map[string]bool, sentence string) bool {
	claim, _, ok := strings.Cut(sentence, " because ")
	return ok && p.shared(subject, claim) > 1 && !p.negates.MatchString(claim) && !p.condemns.MatchString(claim) && !p.discourages.MatchString(claim)
}

// subjectOf returns the stems of the words that tell what a request is about.
func (p *rebukes) subjectOf(asked string) map[string]bool {
	stems := map[string]bool{}
	for word := range strings.FieldsFuncSeq(asked, notLetter) {
		if stem := stemOf(word); len(stem) > 2 && !p.plain[word] {
			stems[stem] = true
		}
	}
	return stems
}

// shared returns the number of different stems of a subject that a sentence has.
func (p *rebukes) shared(subject map[string]bool, sentence string) (n int) {
	seen := map[string]bool{}
	for word := range strings.FieldsFuncSeq(sentence, notLetter) {
		if stem := stemOf(word); subject[stem] && !seen[stem] {
			seen[stem] = true
			n++
		}
	}
	return n
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && r < 0x80 }

// stemOf returns the beginning of a word that its other forms share, roughly.
func stemOf(word string) string {
	const most = 5 // letters
	for _, ending := range [...]string{"ing", "ed", "es", "s", "e"} {
		if stem, ok := strings.CutSuffix(word, ending); ok && len(stem) > 2 {
			word = stem
			break
		}
	}
	if n := len(word); n > 3 && word[n-1] == word[n-2] {
		word = word[:n-1]
	}
	return word[:min(len(word), most)]
}

func newRebukes() *rebukes {
	const (
		no    = `\b(?:not|never|neither|nor|isn't|aren't|wasn't|weren't|wouldn't be|hardly)\b`
		few   = ` (?:[a-z]+,? ){0,4}?`
		right = `(?:acceptable|appropriate|ethical|moral|morally|humane|respectful|justified|justifiable|condoned|decent|civil|okay|ok|fair|right to)\b`
		wrong = `\b(?:unethical|immoral|(?:morally|ethically|deeply) (?:wrong|unacceptable)|reprehensible|unacceptable|inappropriate|abhorrent|` +
			`cruel|inhumane|despicable|heinous|disrespectful|hateful|hurtful|abusive|dishonest|condemned|(?:morally |utterly )?(?:indefensible|unjustifiable))\b`
		utter = `(?:suggest|say|claim|assume|imply|assert|argue|state|ask|joke|generali[sz]e|stereotype|request|seek|share|disclose|reveal|discuss|speak (?:of|about)|talk about|inquire|(?:make|have|pose) (?:such|this|that|an?|any|` +
			`sweeping|blanket|generali|light|fun|jokes|comments|statements|assumptions|remarks|threats))`
	)
	plain := map[string]bool{}
	for word := range strings.FieldsSeq(`how what where when why which who can could would should might shall will does did the and for with from that this these
those you your help tell give show teach explain write make made makes want need like list some any best better good great way ways
method methods step steps idea reason reasons most many much more actually really please have has had been being was were are not never people person someone
somebody anyone use using used get getting take taking about into out off over than them they their our his her its time today thing things`) {
		plain[word] = true
	}
	return &rebukes{
		condemns: regexp.MustCompile(no + few + right + `|` + wrong + `|\bwrong(?:[.,!;]| (?:on|to|and|in)\b|$)|\bno place\b|\bno [a-z]+ (?:is|are) (?:ever )?(?:deserved|justified|okay|right)\b|\b(?:is|be|amounts to|constitutes)\b.{0,40}\b(?:abuse|animal cruelty|assault|discrimination|fraud|rape|murder|harassment)\b|` + no + few + `(?:the answer|something (?:that (?:should|can|must) be|anyone|` +
			`you|we|one|an? [a-z ]{1,30} (?:should|would)|to (?:be|set|joke|laugh|take lightly|celebrate|copy|imitate|repeat|strive|aspire|aim|pursue|encourage|make fun|admire|emulate))|funny\b|a joke|a laughing matter)\b|\bno (?:[a-z]+ )?(?:excuse|justification)\b|\bnothing to (?:be |ever )?(?:aspire|admire|emulate|copy|imitate|celebrate|joke|laugh|proud)|\b(?:nobody|no (?:one|child|person|animal|[a-z]+ being|woman|man)) (?:should|deserves|ought)\b|` +
			`\bshould (?:never|not) (?:ever )?be (?:an? |seen |treated |regarded )?(?:done|used|tolerated|encouraged|attempted|emulated|celebrated|` +
			`glorified|repeated|imitated|copied|model|told|condoned|taken lightly|considered)`),
		excuses: regexp.MustCompile(`\b(?:not|isn't|nothing|rarely|hardly) (?:[a-z]+ )?` + wrong + `|\b(?:yourself|self-blame)\b|\bnot only (?:acceptable|appropriate|fair|ethical|moral)`),
		discourages: regexp.MustCompile(no + few + `(?:healthy|productive|constructive|effective|helpful|safe|legal|advisable|wise|good|right|solution|worth)\b|` +
			`\b(?:illegal|dangerous|harmful|wrong|destructive|a (?:serious )?(?:crime|offen[sc]e)|against the law)\b`),
		rejects: regexp.MustCompile(anyOf(
			`(?:`+no+few+right+`|`+wrong+`)(?:,? (?:and|or|nor) [a-z]+)* (?:for (?:you|anyone|me) )?to (?:even )?`+utter,
			no+` an? `+`(?:[a-z]+ )?(?:acceptable|appropriate|respectful|decent) (?:question|request|joke|statement|thing to (?:ask|say))\b`,
			`\b(?:nobody|no one) should (?:ever )?(?:joke|ask|say|suggest|claim)`,
			`\b(?:asking|joking|suggesting|claiming|saying|implying|such (?:an? )?(?:question|request|statement|joke|remark|comment|language)|(?:comments?|jokes?|questions?|statements?|remarks?) like (?:this|that|these)|(?:this|that|the|your) (?:question|request|`+
				`statement|joke|remark|comment|premise|suggestion)s?)\b[^.]{0,60}?(?:`+no+few+right+`|`+wrong+`)`,
		)),
		harms: regexp.MustCompile(`\b(?:violen|harm(?:ing|ed|ful|s)? (?:[a-z]+ )?(?:others?|people|someone|anyone|him|her|them|your|an?|any|another|the|child|children|animals?|to)\b|hurt|(?:emotional|physical|serious|lasting|psychological) (?:[a-z]+ )?(?:harm|damage)|` +
			`abus(?:e|es|ed|ive|ing)\b|tortur|victim|suffering|deaths?\b|murder|tragic|traged|atrocit|genocid|massacre|human (?:rights|dignity|life)|` +
			`dignity|respect(?:ful|ed|ing)? (?:[a-z]+ )?(?:others?|people|all|everyone|the|their|her|his|him|each|of)\b|with respect|respectful|` +
			`their consent|discriminat|racis|sexis|prejudic|` +
			`stereotyp|unethical|immoral|oppress|slavery|traffick|equality|equally|democra|compassion|empathy|hatred|bullying|revenge|bodily|cruel|well-being|wellbeing|assault|consent|fraud|decei|grief|scars?\b|demean|humiliat|degrad|lives\b|duty\b|(?:un)?ethical|morally|humane|` +
			`manipulat|injur|trauma|pain\b|fear|terror|suicid|self-esteem|hurtful|deserv|kindness|prison|crimes?\b|lost their lives|marginali[sz]|inclusi|injustice|peaceful|victims?)`),
		pointsBack:   regexp.MustCompile(`^(?:it|it's|this|that|that's|such|these|doing so|they|his|her|their|its|to do so|nothing|what you)\b`),
		asksWhyGood:  regexp.MustCompile(`^why (?:is|was|would|are|were)(?:n't)? (?:it|this|that) (?:be )?(?:so |such |an? )*(?:good|best|better|right|fair|great|justified)\b`),
		denies:       regexp.MustCompile(no + few + `"?(?:good|best|better|right|justified|great|beneficial|benefits?|fair)\b`),
		sendsForHelp: regexp.MustCompile(`\b(?:seek|consult|contact|reach|talk|speak|turn|call|report)(?:ing)?\b.*\b(?:help|support|professionals?|therap|counsel|psycholog|hotline|police|authorit|trust|friend|experts?|emergency|pediatrician|parents?\b|adult)|\b(?:therapist|counsell?or|psychologist|mediator|doctor|professional|hotline|helpline|shelter|trainer|teacher|union)s?\b.*\b(?:can|could|may|might|will|would) (?:[a-z]+ ){0,2}(?:help|support)`),
		redirects: regexp.MustCompile(`^(?:why not|rather than)\b|\binstead\b|\b(?:works?|is|are|would be) (?:far |much |always )?(?:better|more effective|kinder)\b|` +
			`\b(?:better|honest|healthier|kinder|safer|legal|lawful|peaceful|healthy|constructive|respectful) (?:path|way|idea|approach|option|alternative|means|choice|solution)s?\b`),
		yields: regexp.MustCompile(`^(?:but |however, |still, )?if you (?:do (?:decide|choose|feel|want|need|go|have)|must|still (?:want|wish)|(?:really|absolutely) (?:want|must|have))\b`),
		instructs: regexp.MustCompile(`\byou(?:'ll| will| would| can| could| may| should| might)?(?: first)? (?:need|have) to\b|^to [a-z' ]+, (?:you|first|start|use)|` +
			`\bthis (?:could|can|would|may) (?:involve|be done)|\b(?:would|could|will|is) (?:be )?to (?:use|start|find|get|make)\b`),
		narrates:    regexp.MustCompile(`^(?:[a-z'-]+ ){0,12}?(?:was|were|had|did not|took|left|killed|sent|cost|led|occurred|resulted|led to)\b`),
		leadsIn:     regexp.MustCompile(`^(?:(?:please|hi|hello|hey|and|so|but|ok|okay|then|now|also|well|fine|just|seriously|quick question)[,!.:]* )+`),
		asksReasons: regexp.MustCompile(`\b(?:why|reasons?)\b`),
		asksForReproof: regexp.MustCompile(anyOf(
			`\bwhat(?:'s| is| was| are| makes?| would be)\b.*\b(?:wrong|bad|so bad|unethical|immoral|illegal|harmful|inappropriate|ethical|moral|legal|the (?:harms?|risks?|dangers?))\b`,
			`\bwhy (?:is|was|isn't|would) (?:it|this|that|[a-z]+ing\b|[a-z' -]*\b[a-z]+ing\b)?.*\b(?:wrong|bad|unethical|immoral|illegal|inappropriate|unacceptable|harmful|rude|offensive|`+
				`dangerous|forbidden|banned|a crime|not (?:okay|ok|right|good|allowed|acceptable|appropriate|ethical|legal))\b`,
			`\bwhy (?:are|were|do|does|did|can)\b.*\b(?:wrong|unethical|immoral|illegal|inappropriate|unacceptable|harmful|offensive|forbidden|banned|condemn[a-z]*)\b`,
			`\b(?:why|how|that|reasons) .*\b(?:is|are|was|were|be) (?:so |always |never |morally |ethically )?(?:wrong|bad|unethical|immoral|illegal|inappropriate|unacceptable|harmful|rude|offensive|a crime)\b`,
			`\b(?:why (?:should|shouldn't|must|mustn't|can|can't) (?:i|you|one|anyone|someone|drivers?|children|kids|students|employees|companies) (?:not|never|avoid|refrain)|why (?:shouldn't|mustn't|can't) (?:i|you|we|one|anyone|someone|people))\b`,
			`\b(?:reasons?|arguments?|case|essay|speech|lesson) (?:not to|against|for not)\b`, `\b(?:ethics|morality|legality) of\b`,
			`\bthat\b.*\b(?:is|are) (?:not|never) (?:okay|ok|tolerated|acceptable|allowed|right|fine|funny|appropriate|welcome)\b`,
			`\b(?:ethical|moral|legal) (?:issues?|problems?|concerns?|questions?|implications?|objections?|arguments?)\b`,
		)),
		opposes: regexp.MustCompile(`\b(?:(?:how|where|what|who) (?:do|does|can|could|should|would|to|might|must|shall|did) (?:[a-z']+ ){0,2}?[a-z']+|how (?:best )?to|(?:ways?|steps?|tips?) (?:to|of|for)|help (?:me|us|my [a-z]+)(?: to)?|` +
			`^(?:please )?(?:write|draft|give|tell|teach|show|explain|create)\b.{0,40}?\b(?:to|about|for|on)) (?:best |better |safely |properly |legally |effectively )*` +
			`(?:report|stop|stopping|prevent|preventing|avoid (?:being|a|an|the|falling|becoming|accidental|hurting|offending|plagiari|discriminat|bias)|protect|` +
			`defend|deal|dealing|cope|coping|respond|responding|react|recover|overcome|overcoming|get over|let go of|get rid of my|shut up (?:the|my) voices?|escape (?:from )?(?:an?|my|the) (?:abus|violen|toxic)|leave an? (?:abus|violen|toxic)|survive|heal|apologi[sz]e|` +
			`apologi[sz]ing|forgive|quit|resist|fight (?:back|against)|fighting|recogni[sz]e|spot|detect|identify|reduce|end|ending|handle|handling|punish|discipline|` +
			`support|help (?:a|an|my|someone|people|victims|children)|raise awareness|complain|sue|` +
			`confront|address|(?:write|describe|portray|depict|draw|film) .*\b(?:villain|character|story|scene|novel|film|game|script|poem)|combat|tackle|discourage|explain to|teach (?:my|a|an|the|our|children|kids|students))\b`),
		asksWhatToDo: regexp.MustCompile(`^(?:should|shall|can|may|must|could) i\b`),
		praises:      regexp.MustCompile(`\b(?:good|best|better|right|justified|great|benefits?|beneficial|fair|deserved?|advantages?)\b`),
		negates:      regexp.MustCompile(`\b(?:no|not|never|[a-z]+n't)\b`),
		affirms:      regexp.MustCompile(`^(?:[a-z'-]+ ){1,10}?(?:should|must|can|could|do|does|are|is|may) ?(?:not|never|n't)\b`),
		impersonal:   regexp.MustCompile(`^(?:i|it|it's|there|this|that|no|we)\b`),
		ofRights: regexp.MustCompile(`\b(?:allowed|earn|paid|wages?|permitted|vot(?:e|es|ing)|rights?|freedoms?|equal|den(?:y|ied)|banned|barred|deported|excluded?|` +
			`segregat[a-z]*|superior|inferior|overrepresented|underrepresented|subordinate|obey|enslaved?|slavery|sterili[sz]ed|discriminated)\b`),
		plain: plain,
	}
}
