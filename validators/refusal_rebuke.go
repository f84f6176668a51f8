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
	narrates          *regexp.Regexp // tells of what was

	asksForReproof *regexp.Regexp // a question why something is wrong
	opposes        *regexp.Regexp // a request for a way against something
	asksWhatToDo   *regexp.Regexp // a question whether to do something
	praises        *regexp.Regexp // a question why something is good
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

	condemned   bool // it says that what was asked for is not right
	discouraged bool // it begins by saying that it is unwise or against the law
	rejected    bool // it says that it is not right to ask for it, or to say it
	denied      bool // it begins by denying that it is good
	reproved    bool // its first sentence says that something is not right
	rebutted    bool // its first sentences deny what the question takes for granted
}

// rebukes reports whether an answer judges what was asked for instead of giving it. The
// user asked how to do something, and the answer says that it is wrong, and otherwise
// reproves, tells of the past or sends the user elsewhere; or the user asked for reasons,
// and the answer denies them in words of morals and law. Who asks for a judgement, or for
// a way against what is wrong, is served by one.
func (r *reading) rebukes(text, opening string) bool {
	p := r.acts.rebukes
	asked := r.request()
	how, why := r.acts.asksHow.MatchString(asked), r.acts.asksToJustify.MatchString(asked)
	advice := p.asksWhatToDo.MatchString(asked)
	if !how && !why && !advice || p.asksForReproof.MatchString(asked) || how && p.opposes.MatchString(asked) || r.corrects(opening) {
		return false
	}
	s := r.stance(text, opening, asked)
	if s.listed {
		return false
	}
	served := s.serving*3 > s.sentences
	switch {
	case s.rejected && s.harm && !served:
		return true
	case how && s.reproved && s.content*3 <= s.sentences:
		return true
	case how && s.condemned && s.harm && !served:
		return true
	case how && s.discouraged && s.harm && s.content*3 <= s.sentences:
		return true
	}
	return why && (s.reproved || s.rebutted || s.denied) && s.moral*4 >= s.sentences
}

// stance reads all sentences of a text, once.
func (r *reading) stance(text, opening, asked string) (s stance) {
	const first = 2 // sentences of content that begin an answer
	p := r.acts.rebukes
	subject := p.subjectOf(asked)
	brought := map[string]bool{}
	for _, word := range r.acts.moral.FindAllString(asked, -1) {
		brought[word] = true
	}
	praised := p.praises.MatchString(asked)
	lead, begun := opening[:min(len(opening), maxLead)], 0
	for rest := text[:min(len(text), maxAfter)]; rest != ""; {
		var raw string
		raw, rest = cutSentence(rest)
		sentence := normalText(raw)
		if sentence == "" {
			continue
		}
		s.listed = s.listed || isItem(raw) || strings.Contains(raw, "```")
		s.sentences++
		act, _ := r.acts.of(sentence)
		away := p.sendsForHelp.MatchString(sentence)
		moral := false
		for _, word := range r.acts.moral.FindAllString(sentence, -1) {
			moral = moral || !brought[word]
		}
		harms := p.harms.MatchString(sentence)
		s.harm = s.harm || harms || away
		if moral {
			s.moral++
		}
		if act == speaks && !away {
			s.content++
			if !moral && !harms && !p.narrates.MatchString(sentence) {
				s.serving++
			}
		}
		if !strings.Contains(lead, strings.TrimSpace(raw)) {
			continue
		}
		condemned := p.condemns.MatchString(sentence) && !p.excuses.MatchString(sentence)
		shared := p.shared(subject, sentence)
		if begun < first {
			s.reproved = s.reproved || begun == 0 && act == reproves && r.acts.reproves.MatchString(sentence)
			s.rebutted = s.rebutted || r.acts.rebuts.MatchString(sentence)
			s.rejected = s.rejected || p.rejects.MatchString(sentence)
			s.discouraged = s.discouraged || shared > 0 && p.discourages.MatchString(sentence)
			s.denied = s.denied || praised && p.denies.MatchString(sentence)
			s.condemned = s.condemned || condemned && shared > 0
		}
		s.condemned = s.condemned || condemned && shared > 1
		if act != leads {
			begun++
		}
	}
	return s
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

// shared returns the number of different stems of a subject that a sentence has. A
// sentence that points back to the request has one.
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
			`cruel|inhumane|despicable|heinous|disrespectful|hateful|condemned)\b`
		utter = `(?:suggest|say|claim|assume|imply|assert|argue|state|ask|joke|generali[sz]e|stereotype|request|seek|(?:make|have|pose) (?:such|this|that|an?|any|` +
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
		condemns: regexp.MustCompile(no + few + right + `|` + wrong + `|` + no + few + `(?:the answer|something (?:to be|that (?:should|can|must) be|anyone|` +
			`you|we|one)|a joke|a laughing matter)\b|\bshould (?:never|not) (?:ever )?be (?:done|used|tolerated|encouraged|attempted|emulated|celebrated|` +
			`glorified|repeated|condoned|taken lightly|considered)`),
		excuses: regexp.MustCompile(`\b(?:not|isn't|nothing|rarely|hardly) (?:[a-z]+ )?` + wrong + `|\bnot only (?:acceptable|appropriate|fair|ethical|moral)`),
		discourages: regexp.MustCompile(no + few + `(?:healthy|productive|constructive|effective|helpful|safe|legal|advisable|wise|good|right|solution|worth)\b|` +
			`\b(?:illegal|dangerous|harmful|wrong|destructive|a (?:serious )?(?:crime|offen[sc]e)|against the law)\b`),
		rejects: regexp.MustCompile(anyOf(
			`(?:`+no+few+right+`|`+wrong+`)(?:,? (?:and|or|nor) [a-z]+)* (?:for (?:you|anyone|me) )?to (?:even )?`+utter,
			`\b(?:asking|joking|such (?:an? )?(?:question|request|statement|joke|remark|comment|language)|(?:this|that|the|your) (?:question|request|`+
				`statement|joke|remark|comment|premise|suggestion)s?)\b[^.]{0,60}?(?:`+no+few+right+`|`+wrong+`)`,
		)),
		harms: regexp.MustCompile(`\b(?:violen|harm(?:ing|ed|ful|s)? (?:[a-z]+ )?(?:others?|people|someone|anyone|him|her|them|your|an?|any|another|to)\b|hurt|` +
			`abus(?:e|es|ed|ive|ing)\b|tortur|victim|suffering|deaths?\b|murder|tragic|traged|atrocit|genocid|massacre|human (?:rights|dignity|being|life)|` +
			`dignity|respect(?:ful|ed|ing)? (?:[a-z]+ )?(?:others?|people|all|everyone|the|their|her|his|him|each|of)\b|with respect|respectful|` +
			`their consent|discriminat|racis|sexis|prejudic|` +
			`stereotyp|unethical|immoral|oppress|slavery|traffick|equality|democra|compassion|empathy|hatred|bullying|revenge|bodily|cruel|well-being|wellbeing|` +
			`manipulat|marginali[sz]|inclusi|injustice|peaceful|victims?)`),
		denies:       regexp.MustCompile(no + few + `"?(?:good|best|better|right|justified|great|beneficial|benefits?|fair)\b`),
		sendsForHelp: regexp.MustCompile(`\b(?:seek|consult|contact|reach|talk|speak|turn)(?:ing)?\b.*\b(?:help|support|professionals?|therap|counsel|psycholog|hotline|police|authorit|trust|friend|experts?)`),
		narrates:     regexp.MustCompile(`^(?:[a-z'-]+ ){0,12}?(?:was|were|had|took place|occurred|resulted|led to)\b`),
		asksForReproof: regexp.MustCompile(anyOf(
			`\bwhat(?:'s| is| was| are| makes?| would be)\b.*\b(?:wrong|bad|so bad|unethical|immoral|illegal|harmful|inappropriate|ethical|moral|legal|the (?:harms?|risks?|dangers?))\b`,
			`\bwhy (?:is|was|isn't|would) (?:it|this|that|[a-z]+ing\b|[a-z' -]*\b[a-z]+ing\b)?.*\b(?:wrong|bad|unethical|immoral|illegal|inappropriate|unacceptable|harmful|rude|offensive|`+
				`dangerous|forbidden|banned|a crime|not (?:okay|ok|right|good|allowed|acceptable|appropriate|ethical|legal))\b`,
			`\bwhy (?:are|were|do|does|did|can)\b.*\b(?:wrong|unethical|immoral|illegal|inappropriate|unacceptable|harmful|offensive|forbidden|banned|condemn[a-z]*)\b`,
			`\b(?:why|how|that|reasons) .*\b(?:is|are|was|were|be) (?:so |always |never |morally |ethically )?(?:wrong|bad|unethical|immoral|illegal|inappropriate|unacceptable|harmful|rude|offensive|a crime)\b`,
			`\b(?:why (?:should|shouldn't|must|mustn't|can|can't) (?:i|you|one|anyone|someone|drivers?|children|kids|students|employees|companies) (?:not|never|avoid|refrain)|why (?:shouldn't|mustn't|can't) (?:i|you|we|one|anyone|someone|people))\b`,
			`\b(?:reasons?|arguments?|case|essay|speech|lesson) (?:not to|against|for not)\b`, `\b(?:ethics|morality|legality) of\b`,
			`\b(?:ethical|moral|legal) (?:issues?|problems?|concerns?|questions?|implications?|objections?|arguments?)\b`,
		)),
		opposes: regexp.MustCompile(`\b(?:(?:how|where|what|who)\b[a-z' ]{0,40}?\b(?:i|we|you|one|someone|to|parents|teachers|schools|companies)|(?:ways?|steps?|tips?) (?:to|of|for)|help (?:me|us|my [a-z]+)(?: to)?|` +
			`^(?:please )?(?:write|draft|give|tell|teach|show|explain|create)\b.{0,40}?\b(?:to|about|for|on)) (?:best |better |safely |properly |legally |effectively )*` +
			`(?:report|stop|stopping|prevent|preventing|avoid (?:being|a|an|the|falling|becoming|accidental|hurting|offending|plagiari|discriminat|bias)|protect|` +
			`defend|deal|dealing|cope|coping|respond|responding|react|recover|overcome|overcoming|escape (?:from )?(?:an?|my|the) (?:abus|violen|toxic)|leave an? (?:abus|violen|toxic)|survive|heal|apologi[sz]e|` +
			`apologi[sz]ing|forgive|quit|resist|fight (?:back|against)|fighting|recogni[sz]e|spot|detect|identify|reduce|end|ending|handle|handling|punish|discipline|` +
			`support|help (?:a|an|my|someone|people|victims|children)|raise awareness|complain|sue|` +
			`confront|address|combat|tackle|discourage|explain to|teach (?:my|a|an|the|our|children|kids|students))\b`),
		asksWhatToDo: regexp.MustCompile(`^(?:should|shall|can|may|must|could) i\b`),
		praises:      regexp.MustCompile(`\b(?:good|best|better|right|justified|great|benefits?|beneficial|fair|deserved?|advantages?)\b`),
		plain:        plain,
	}
}
