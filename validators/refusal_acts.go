package validators

import (
	"regexp"
	"strings"
)

// act is what a sentence of an answer does, as far as refusals go.
type act int

const (
	speaks   act = iota // says something else: content
	leads               // apologises, thanks, greets, presents itself: says nothing yet
	declines            // its speaker will not or may not do what was asked for
	lacks               // its speaker has not the means: no access, no body, no opinions
	objects             // the request itself is not proper
	reproves            // something is wrong or harmful, or something better should be done
)

// acts are the patterns of speech acts, matched against [normalText] of a sentence.
type acts struct {
	words   map[string]wordKind
	rebukes *rebukes

	can, able                *regexp.Regexp // the words of a clause that decline
	lead, bare               *regexp.Regexp
	declines, lacks, objects []pattern
	finding, house           *regexp.Regexp // looks like a refusal, and is a finding or a rule of the house
	inexact                  *regexp.Regexp // declines only to be exact
	reproves, warns          *regexp.Regexp // says that something is wrong, or harmful
	rebuts, moral            *regexp.Regexp // denies what a question takes for granted; words of morals and law
	lectures                 *regexp.Regexp // the beginning of a sentence that only reproves or cautions
	offers                   *regexp.Regexp // offers to go on
	corrects                 *regexp.Regexp // says that what is asked about does not exist or makes no sense
	connective               *regexp.Regexp // may begin any sentence
	turns, turnsFirst        *regexp.Regexp // announce that help comes after all: in a sentence, and at its beginning
	sendsAway                *regexp.Regexp // after a turn: sends the user elsewhere
	announces, letter        *regexp.Regexp // an opening after which a text follows that was asked for
	asksForJudgement         *regexp.Regexp // a question whether something is proper
	asksToJustify            *regexp.Regexp // a request for reasons
	asksHow                  *regexp.Regexp // a request for instructions or a text
}

// place says where a pattern has to match.
type place int

const (
	anywhere  place = iota // in the sentence
	atClause               // at the beginning of a clause of the speaker
	afterCan               // after the speaker and a modal that declines: "I can't"
	afterAble              // after the speaker and what it is not: "I'm unable to"
)

// pattern is the expression of an act.
type pattern struct {
	re    *regexp.Regexp
	place place
	needs string   // a text without which no sentence matches; it is found faster
	words wordKind // kinds of words without which none matches
}

// clause returns a pattern of a clause that begins with its speaker.
func clause(expression string) pattern {
	return pattern{re: regexp.MustCompile(`^` + expression), place: atClause}
}

// can and able return patterns of what follows the words that decline.
func can(expression string) pattern {
	return pattern{re: regexp.MustCompile(`^` + expression), place: afterCan}
}

func able(expression string) pattern {
	return pattern{re: regexp.MustCompile(`^` + expression), place: afterAble}
}

// whole returns a pattern of a whole sentence.
func whole(needs, expression string) pattern {
	return pattern{re: regexp.MustCompile(expression), needs: needs}
}

// about returns a pattern of a whole sentence that has words of some kind.
func about(words wordKind, expression string) pattern {
	return pattern{re: regexp.MustCompile(expression), words: words}
}

// of returns the act of a sentence, and what follows the words of a refusal in it.
func (a *acts) of(sentence string) (act, string) {
	sentence = a.bareOf(sentence)
	if act, tail := a.refuses(sentence); act != speaks {
		return act, tail
	}
	switch {
	case a.lead.MatchString(sentence):
		return leads, ""
	case a.lectures.MatchString(sentence) || a.reproves.MatchString(sentence) || a.warns.MatchString(sentence) || a.offers.MatchString(sentence):
		return reproves, ""
	}
	return speaks, ""
}

// bareOf returns a sentence without the marks of a list and without a connective.
func (a *acts) bareOf(sentence string) string {
	sentence = strings.TrimLeft(sentence, "*_#>-–—•().,;: ")
	return sentence[len(a.connective.FindString(sentence)):]
}

// refuses returns the act of a sentence that refuses, and what follows its words;
// speaks for any other sentence. Most sentences lack the words for it, which is found
// out first.
func (a *acts) refuses(sentence string) (act, string) {
	found := scanWords(sentence, a.words)
	if found.kinds&(denialWord|foreignWord) != 0 {
		if a.bare.MatchString(sentence) {
			return declines, ""
		}
		var starts []start
		if found.kinds&speakerWord != 0 {
			starts = a.clauses(sentence)
		}
		if tail, ok := a.match(a.declines, sentence, starts, found.kinds); ok {
			if a.inexact.MatchString(sentence) {
				return lacks, tail
			}
			return declines, tail
		}
		if tail, ok := a.match(a.lacks, sentence, starts, found.kinds); ok {
			return lacks, tail
		}
	}
	if found.kinds&ruleWord != 0 || found.kinds&(fitWord|denialWord) == fitWord|denialWord {
		if tail, ok := a.match(a.objects, sentence, nil, found.kinds); ok {
			return objects, tail
		}
	}
	return speaks, ""
}

// match returns what follows the first of some patterns that a sentence has, unless
// the sentence is a finding or a rule of the house. starts are its clauses that begin
// with the speaker, each up to the end of the sentence.
func (a *acts) match(patterns []pattern, sentence string, starts []start, words wordKind) (tail string, ok bool) {
	for _, p := range patterns {
		if p.place == anywhere {
			if words&p.words == p.words && strings.Contains(sentence, p.needs) {
				if tail, found := a.tail(p.re, sentence); found {
					return tail, !a.statesRule(sentence)
				}
			}
			continue
		}
		for _, from := range starts {
			if text := from.at(p.place); text != "" {
				if tail, found := a.tail(p.re, text); found && !a.finding.MatchString(from.text) {
					return tail, !a.statesRule(sentence)
				}
			}
		}
	}
	return "", false
}

// statesRule reports whether a sentence states a rule of the house or what is needed
// first, not what is right or wrong.
func (a *acts) statesRule(sentence string) bool {
	return a.house.MatchString(sentence) && !a.reproves.MatchString(sentence) && !a.warns.MatchString(sentence)
}

// tail returns what follows a pattern, unless it begins a finding.
func (a *acts) tail(re *regexp.Regexp, text string) (tail string, ok bool) {
	loc := re.FindStringIndex(text)
	if loc == nil || a.finding.MatchString(text[loc[0]:]) {
		return "", false
	}
	return text[loc[1]:], true
}

// start is a place in a sentence where a clause begins with its speaker.
type start struct {
	text      string // from there to the end of the sentence
	can, able string // what follows the words that decline; empty when there are none
}

// at returns the text in which a pattern of a place has to match.
func (s start) at(p place) string {
	switch p {
	case afterCan:
		return s.can
	case afterAble:
		return s.able
	}
	return s.text
}

// after returns what follows an expression; empty when the text lacks it.
func after(re *regexp.Regexp, text string) string {
	if loc := re.FindStringIndex(text); loc != nil {
		return text[loc[1]:]
	}
	return ""
}

// clauses returns the rest of a sentence from each place where a clause begins with
// its speaker: at the beginning, after a mark, or after a word that joins clauses.
func (a *acts) clauses(sentence string) (out []start) {
	const (
		most = 8
		near = 64 // bytes from the speaker to the end of the word that denies
	)
	joined := true
	for at := 0; at < len(sentence) && len(out) < most; {
		end := strings.IndexByte(sentence[at:], ' ')
		if end < 0 {
			end = len(sentence) - at
		}
		word := sentence[at : at+end]
		if joined && a.words[strings.TrimRight(word, ",;:.")]&(speakerWord|thisWord) != 0 {
			if from := sentence[at:]; scanWords(from[:min(len(from), near)], a.words).kinds&denialWord != 0 {
				out = append(out, start{from, after(a.can, from), after(a.able, from)})
			}
		}
		if last := strings.TrimRight(word, `"')*_`); last != "" {
			joined = strings.IndexByte(",;:.!?-", last[len(last)-1]) >= 0 || strings.HasSuffix(word, "*") || strings.HasSuffix(last, "–") || strings.HasSuffix(last, "—") || a.words[last]&joiningWord != 0
		}
		at += end + 1
	}
	return out
}

// anyOf returns a group that matches one of several expressions.
func anyOf(expressions ...string) string { return `(?:` + strings.Join(expressions, `|`) + `)` }

func newActs() *acts {
	const (
		adv = `(?:(?:really|simply|just|currently|also|absolutely|definitely|certainly|therefore|thus|personally|ethically|legally|` +
			`respectfully|politely|unfortunately|kindly|generally|normally|usually|still|even|actually|in good conscience|knowingly|directly|either|` +
			`ever|only|always|at this time|of course|never|firmly|not) )*`
		i  = `(?:i|this assistant|this ai|this model|this chatbot|this bot)`
		am = `(?:i'm|i am|this assistant is|this ai is|i've been|i have been)`
		we = `(?:we|our team)`
		// cannot is a modal that declines, with its adverbs.
		cannot = adv + `(?:cannot|can't|can not|cant|won't|will not|would not|wouldn't|shouldn't|should not|must not|mustn't|am unable to|` +
			`am not able to)(?:,? (?:and|or) (?:will not|won't|cannot|can't|shouldn't|should not|would not|must not))?,? ` +
			adv + `(?:be able to |be )?` + adv
		unable = `(?:` + adv + `(?:unable|not able|not allowed|not permitted|not programmed|not designed|not equipped|not authori[sz]ed|` +
			`not capable|not comfortable|not going|not in a position|not willing|not prepared|not trained|not here|not built|not meant|not qualified|` +
			`not licensed|prohibited|forbidden|programmed not|designed not|instructed not|incapable|uncomfortable|restricted from|barred from)(?: to|` +
			` of| with| from| doing so)?) ` +
			adv + `(?:be able to |be )?`
		// service is what an assistant does for a request, whatever the object.
		service = `(?:help(?:ing)?\b|assist|aid\b|comply|fulfil|satisfy|oblige|accommodate|accede|answer|respond|reply|engag|participate|` +
			`participating|discuss|comment|condone|endorse|encourag|promot|facilitat|` +
			`disclos|reveal|divulge|grant|honou?r|go there|go into|talk about|chat about|speak about|speculate|weigh in|take part|(?:be )?(?:a )?part of|role-?play|` +
			`impersonat|collaborat|contribut|proceed|ignor(?:e|ing) (?:my|these|those|the)|continu(?:e|ing)(?: (?:this|with|the conversation)|[.,!]|$)|` +
			`advise (?:you|on|against)|(?:quote|reproduce|recite|copy|print|share) (?:the |you the )?(?:whole|entire|full|complete)|` +
			`(?:do|doing) (?:that|this|so|it|such|what|anything like|any of)\b|in good conscience|touch\b|entertain|indulge|perpetuat|glorif|normali[sz]e|legitimi[sz]e)`
		// making is what an assistant makes or says, where the object decides.
		making = `(?:provid|giv|offer|shar|creat|generat|writ|produc|draft|compos|suppl|suggest|recommend|support|explain|describ|tell|teach|` +
			`show|instruct|guid|translat|complet|perform|execut|process|recit|list|nam|reproduc|continu|predict|diagnos|express|rank|rat|identif|` +
			`summari[sz]|advis|judg|mak|tak|say|present|outlin|develop|design|build|act|pretend|confirm or den|offer|assign|cit|quot)(?:es?|ing|e you|` +
			`y|ying)?`
		object = `(?: (?:you|him|her|them|me|anyone|users|people|out))?(?: (?:with|on|for|as|in|to))*(?: (?:a|an|any|the|that|this|these|` +
			`those|such|specific|detailed|more|further|step-by-step|your|some|any such|either|all|medical|legal|financial|personal|tailored|sensitive|` +
			`private|confidential|explicit|harmful|illegal|unsafe|graphic|sexual|violent|offensive|hateful|inappropriate|copyrighted|actual|real|` +
			`professional|investment|tax|such|own|false|fake|its|their|his|my))*`
		noun = ` (?:[a-z'-]+ ){0,2}(?:""|\x60\x60|instruct|inform|guidance|advice|detail|content|help|assist|request|question|respons|answer|list|` +
			`materials?|text|stor(?:y|ies)|joke|code|script|message|email|essay|article|song|lyrics|poem|image|picture|opinion|view|stance|side|` +
			`position|statement|claim|judg|assumption|recommend|suggest|step|guide|tutorial|method|way|reason|example|definition|explanation|` +
			`description|address|number|contact|data|record|name|diagnos|prescri|treatment|support|service|task|link|copy|copies|passage|quote|figure|` +
			`plan|recipe|formula|prompt|instructions|argument|case|comment|activity|activities|act|topic|kind|sort|type|thing|part|someone|person|` +
			`individual|a human|stereotype|slur|insult|rumou?r|gossip|refund|money|access|password|credential|key)`
		german = `(?:helfen|unterstützen|beantworten|bereitstellen|geben|erfüllen|tun|machen|schreiben|erstellen|weitergeben|eingehen|antworten)\b`
		way    = ` (?:you )?(?:how|what|where|why|about|that|this|it|those|these|anything|whether)\b`
	)
	declining := []pattern{
		// Unwillingness in its own words.
		clause(i + ` ` + adv + `(?:must|have to|need to|will|would|will have to|am going to|'ll|should|'ll have to|am going to have to) ` + adv + `(?:decline|refuse|abstain|refrain|turn (?:this|that|it|you)? ?down|say no\b|pass on|pass\b[.!]?$)`),
		clause(`(?:i'll|i'm going to|i'm|i am|i'd|i) ` + adv + `(?:have to |going to have to |going to |need to |choose to |` +
			`prefer to )?(?:decline|declining|refuse|refusing|abstain|refrain|pass on)\b(?: to\b| (?:writ|help|creat|mak|do|answer|discuss)ing\b|` +
			` from\b| this| that| your| the request|[,.;!:—-]|$)`),
		clause(`(?:i'd|i would|i will|i'll) ` + adv + `(?:rather not|prefer not|have to pass|need to pass|pass on this|pass on that|` +
			`like to avoid|prefer to avoid|rather avoid)`),
		clause(`i ` + adv + `(?:prefer not to|choose not to|have to say no|have chosen not|do not wish to|don't wish to|have no intention|` +
			`don't want to (?:help|assist|discuss|engage|provide|write|create|be part))`),
		clause(i + ` ` + adv + `(?:don't|do not) ` + adv + `(?:provid|engag|creat|generat|produc|assist|do (?:that|this|so)\b|` +
			`take (?:a )?(?:sides?|positions?|stances?)|help (?:with|people)|participate|participating|discuss|writ|offer|answer|respond|condone|` +
			`endorse|give (?:out|medical|legal|financial|advice|instructions|that)|share (?:that|this|personal|private|my|such|information|details)|` +
			`feel comfortable|think i (?:can|should|could)|believe i (?:can|should))`),
		whole("feel", `\b(?:do not|don't) feel (?:comfortable|right|good about)`),
		whole("cross", `\bcross(?:es|ing)? (?:a|the|that|my) line\b`),
		whole("cross", `\bline (?:that )?i (?:won't|will not|can't|cannot) cross`),
		whole("can only", `\bi can only (?:help|assist|answer|discuss|talk about|provide|respond|support)`),
		clause(`(?:i'll|i will|i can) (?:give|provide|offer|share) no\b`),
		whole("not the right ", `\bi(?:'m| am) not the right (?:resource|person|tool|assistant|one)\b`),
		clause(`i (?:try not to|avoid) (?:take|taking|share|sharing|express|expressing|give|giving) `),
		whole(" out of", `\b(?:stay|keep) out of (?:that|this|the)`),
		whole("ed to ", `^(?:the|this) (?:model|assistant|ai) (?:has )?(?:declined|refused) to (?:answer|respond|complete|generate|help|assist)`),
		whole("comfortable", `\bnot comfortable (?:with |providing|discussing|helping|writing|creating|sharing|doing|answering|engaging|generating|assisting|making|giving)`),
		// Inability or unwillingness, and what an assistant does.
		can(service),
		able(service),
		can(making + object + noun),
		able(making + object + noun),
		can(making + way),
		able(making + way),
		can(`(?:provid|giv|offer|shar|creat|generat|writ|produc|suppl|suggest|support|teach|instruct|describ|list|outlin|encourag)(?:e|ing|y|ies)?(?: or [a-z]+| and [a-z]+)*,? ` + `(?:you|him|her|any|an?|that|this|such|it|them|these|those|` +
			`specific|detailed|information|instructions|guidance|advice|details|content|medical|legal|financial|personal|explicit|harmful|instances|` +
			`reasons|jokes)\b`),
		able(`(?:provid|giv|offer|shar|creat|generat|writ|produc|suppl|suggest|support|teach|instruct|describ|list|outlin|encourag)(?:e|ing|y|ies)?(?: or [a-z]+| and [a-z]+)*,? ` + `(?:you|him|her|any|an?|the|that|this|such|it|them|these|` +
			`those|specific|detailed|information|instructions|guidance|advice|details|content|medical|legal|financial|personal|explicit|harmful|` +
			`instances|reasons|jokes)\b`),
		can(`(?:(?:provide|offer)\b|(?:write|create|generate|produce|come up with) [a-z]|recommend (?:a |an |` +
			`any )?(?:specific|particular|individual)|(?:write|draft|do|make|complete|take|solve|prepare) [a-z ]{1,40} for you\b)`),
		able(`(?:(?:provide|offer)\b|(?:write|create|generate|produce|writing|creating|generating|producing) [a-z]|` +
			`recommend(?:ing)? (?:a |an |any )?(?:specific|particular|individual)|(?:write|do|make|complete|take|solve) [a-z ]{1,40} for you\b)`),
		// With a wish, or the nature of the speaker, as the lead.
		whole("i", `^(?:nice try|i'd (?:really )?love to|i wish i could|i would (?:really )?(?:love|like) to|as much as i'd (?:love|`+
			`like) to)\b.*\bi(?: can't| cannot|'m not able| am not able|'m unable| am unable| won't| will not)\b`),
		whole(" i", `\b(?:it's|it is) (?:best|better) (?:if|that) i (?:don't|do not) (?:answer|help|respond|discuss|say|share|comment|go)`),
		clause(`i(?:'d| had) better not (?:answer|help|respond|discuss|say|share|comment|go)`),
		// Without its subject.
		whole("", `^(?:sorry[,.!]* |no[,.]* |nope[,.]* )?(?:but )?(?:can't|cannot|won't|unable to|not able to|will not) (?:help|assist|`+
			`comply|do that|do this|answer|provide|fulfil|discuss|share)`),
		whole(" and ", `^i\b.* and (?:therefore |thus |so )?(?:cannot|can't|won't|will not|must decline|am unable to|`+
			`am not able to)(?: and (?:will not|won't))? (?:`+service+`|(?:provid|generat|creat|offer|giv|shar|writ|produc|diagnos|recommend|prescrib)e?\b)`),
		whole(" so ", `^i\b.* so (?:therefore |thus |so )?(?:cannot|can't|won't|will not|must decline|am unable to|`+
			`am not able to)(?: and (?:will not|won't))? (?:`+service+`|(?:provid|generat|creat|offer|giv|shar|writ|produc|diagnos|recommend|prescrib)e?\b)`),
		whole(" no way", `\b(?:there is|there's) no way (?:that )?i(?: can|'ll| will|'m going to) (?:help|assist|do|provide|write|give)`),
		whole("something", `\b(?:not|isn't|is not) something (?:that )?(?:i|we)(?:'m| am| can| will|'ll|'d| would| do| feel| should| could)`),
		whole("something", `\bsomething (?:that )?i(?: (?:must|have to|need to) (?:decline|refuse|turn down)| can't| cannot| can not| won't|`+
			` will not| must decline|'m not able| am not able|'m unable| am unable|'m not willing|'m not comfortable)`),
		about(requestWord, `\b(?:not|isn't|never) (?:a topic|a subject|a question|a conversation|content|a request) (?:that )?i(?:'m| am| can| will)`),
		// For others too, when the request itself is the object.
		clause(we + ` ` + cannot + `(?:help|assist)(?: you)?(?: with (?:that|this|your|it|such)[a-z ]*)?[.!]?$`),
		clause(we + ` ` + cannot + `(?:comply|fulfil|answer|respond to|discuss|comment on|accommodate|honou?r|provide|give|` +
			`offer) (?:you )?(?:that|this|your|such|medical|legal|financial|tax|personal|any) ?(?:request|question|inquiry|query|topic|matter|advice|` +
			`information)?`),
		clause(`(?:we're|we are) ` + unable + `(?:help|assist|comply|fulfil|answer|respond to|discuss|comment on)(?: you)?(?: with)? (?:that|this|your)\b`),
		// In other languages.
		about(foreignWord, `\b(?:kann|darf|werde|möchte) (?:ich )?(?:ihnen |dir |euch )?(?:leider )?(?:dabei|damit|`+
			`bei (?:dieser|diesem|so etwas)[a-zäöüß ]*?|das|diese[a-zäöüß ]*?|dazu|darauf|hierbei|hierzu|so etwas)(?: [a-zäöüß]+){0,3}? nicht (?:weiter)?`+german),
		about(foreignWord, `\b(?:kann|darf|werde|möchte) (?:ich )?(?:ihnen |dir |euch )?(?:leider |dazu |dabei |hierzu )*keine [a-zäöüß ]{1,40}?`+german),
		about(foreignWord, `\b(?:dabei|damit|das|dazu|hierbei|darauf|bei dieser anfrage|diese (?:frage|anfrage)) (?:kann|darf|werde|`+
			`möchte) ich (?:[a-zäöüß]+ ){0,3}nicht (?:weiter)?(?:helfen|beantworten|unterstützen|bereitstellen|erfüllen|tun|machen|eingehen|antworten)`),
		about(foreignWord, `\bmuss (?:ich )?(?:diese|ihre|deine|das)[a-zäöüß ]{0,30}ablehnen`),
		about(foreignWord, `\bje (?:(?:ne |n')(?:peux|puis|suis (?:malheureusement )?pas (?:en mesure|autorisée?|capable)|vais)|(?:peux|vais) pas)`+
			` ?(?:malheureusement )?(?:pas )?(?:de |d'|à )?(?:vous |t'|te |y |les |le |la )?(?:aider|assister|répondre|fournir|donner|`+
			`accéder à (?:cette|votre)|satisfaire|créer|écrire|partager|rédiger|faire (?:cela|ça))`),
		about(foreignWord, `\bje (?:dois|me vois contraint de|préfère) (?:refuser|décliner|ne pas)`),
		about(foreignWord, `\bno (?:puedo|podré|voy a|estoy autorizad[oa] (?:a|para)|me es posible|estoy en condiciones de) (?:ayudar(?:te|`+
			`le|les|los)?|asistir(?:te|le)?|proporcionar(?:te|le)?|responder|cumplir|ofrecer(?:te|le)?|dar(?:te|le)?|brindar(?:te|le)?|crear|escribir|`+
			`generar|compartir|hacer (?:eso|esto))`),
		about(foreignWord, `\b(?:non posso|non sono in grado di|non mi è possibil[e]) (?:aiutar(?:ti|la|vi|e)|assister(?:ti|la|e)|fornir(?:ti|`+
			`le|e)|rispondere|soddisfare|dar(?:ti|le|e)|creare|scrivere|generare|condividere|farlo)`),
		about(foreignWord, `\bnão (?:posso|consigo|poderei|vou|estou autorizad[oa] a|me é possível) (?:te |lhe |o |a )?(?:ajudar|ajudá-lo|`+
			`ajudá-la|auxiliar|fornecer|responder|atender|cumprir|oferecer|dar|criar|escrever|gerar|compartilhar|fazer isso)`),
	}
	lacking := []pattern{
		whole("", `^(?:(?:i'm|i am) (?:just |only )?an? |as an? )(?:[a-z-]+ ){0,3}(?:ai|model|assistant|chatbot|bot|`+
			`program)\b.*\b(?:i cannot|i can't|i am unable to|i'm unable to|i am not able to|i'm not able to|do not have|don't have) `),
		can(`(?:access|brows|open|view|watch|listen|retriev|look (?:that |this |it |things )?up|look at|check|search|` +
			`verify|physically|predict|forecast|process (?:image|audio|video|file|payment|passport)|see (?:image|picture|photo|video|(?:the|your|` +
			`any) (?:image|picture|photo|video|screen|thermo))|hear (?:audio|you|your)|experience|feel (?:emotion|pain)|taste|remember (?:past|` +
			`previous|earlier|our)|recall (?:past|previous|earlier|our)|play (?:audio|music|video|sound)|meet|have (?:personal|feelings|opinions|` +
			`emotions|preferences|access)|express (?:personal|opinions|feelings)|form (?:personal|opinions))`),
		able(`(?:access|brows|open|view|see|watch|listen|retriev|look up|check|search|verify|recall|remember|hav|predict|` +
			`forecast|experienc|feel|form|process)`),
		clause(i + ` ` + adv + `(?:do not|don't) ` + adv + `have (?:the )?(?:[a-z-]+ )?(?:access|ability|abilities|capability|capabilities|` +
			`capacity|permission|authority|means|information (?:about|on)|(?:the |any |enough |sufficient )?information (?:needed |required |` +
			`necessary )?to (?:answer|respond|help|assist)|real-?time)`),
		whole("have", `\b(?:and|,) (?:do not|don't) have (?:the )?(?:ability|capability|capacity|means) to\b`),
		clause(i + ` ` + adv + `(?:do not|don't) ` + adv + `have (?:a |any |personal |human |own |my own )+(?:opinion|preference|feeling|` +
			`emotion|experience|belief|body|favou?rite)`),
		whole("connected", `\bi(?:'m| am) not connected to\b`),
		whole("possible for", `\bit(?:'s| is) (?:not |im)possible for (?:me|an ai[a-z -]*) to\b`),
		clause(i + ` have no (?:access|ability|knowledge (?:of|about)|information (?:on|about)|way of (?:accessing|knowing)|personal|opinion|means|permission)`),
	}
	objecting := []pattern{
		about(requestWord, `\b(?:your|this|that|the) (?:[a-z]+ )?(?:request|question|prompt|query|content|topic|message|input|task|subject|`+
			`conversation)(?: itself)?(?: you(?:'ve| have)? (?:asked|provided|made|sent))? (?:[a-z']+ ){0,4}?(?:goes against|go against|violates?|`+
			`is against|conflicts? with|falls? outside|is outside|is beyond|falls beyond|fall beyond)`),
		about(requestWord, `\b(?:your|this|that|the) (?:[a-z]+ )?(?:request|question|prompt|query)(?: itself)?(?: you(?:'ve|`+
			` have)? asked)? (?:is|may be|might be|could be|seems|appears(?: to be)?|contains?|involves?|promotes?) (?:[a-z]+ ){0,3}?(?:inappropriate|`+
			`unethical|illegal|harmful|offensive|not appropriate|dangerous|unlawful|disrespectful)`),
		about(requestWord, `\b(?:request|prompt|response|message|content|output|question) (?:was|has been|is|were) (?:[a-z]+ )?(?:blocked|`+
			`filtered|flagged|rejected|removed|withheld) (?:by|for|because|due|as|under)[a-z' ]{0,40}(?:content (?:policy|policies|filter|management|`+
			`moderation|guidelines)|usage|safety|moderation)`),
		about(requestWord, `^(?:content|request|prompt|response|message|output) (?:blocked|filtered|flagged|removed|denied) (?:by|for|`+
			`due to) [a-z ]*(?:safety|content|policy|moderation)`),
		about(requestWord, `^(?:this|that|such|the) (?:content|request|topic|material|prompt)(?: is not| isn't|'s not) (?:allowed|permitted|supported)`),
		whole("completed", `\bcouldn't be completed because it (?:may |might )?(?:violate|go against)`),
		about(ownWord, `\b(?:against|outside(?: of)?|beyond|not (?:with)?in|violates?|contrary to|conflicts? with|not aligned with) (?:my|`+
			`our|openai's|the (?:content|usage|safety|ethical|community)) (?:[a-z]+ ){0,3}?(?:programming|guidelines?|principles?|polic(?:y|ies)|`+
			`values|ethics|ethical|scope|capabilities|abilities|expertise|usage|terms|standards|training|purpose)`),
		whole("", `\b(?:outside|beyond) (?:of )?(?:the scope of )?(?:what i(?:'m| am| can| do)|this (?:service|assistant|chat)|the (?:services|things|topics) (?:that )?i)`),
		whole("", `^(?:sorry[,.!]* (?:but )?)?(?:that|this|it)(?:'s| is) (?:[a-z]+ )?(?:beyond|outside|out of) (?:of )?(?:my|`+
			`our) (?:[a-z]+ )?(?:scope|capabilities|abilities|expertise|remit)`),
		whole("for me to", `\bit(?:'s| is| would be) (?:[a-z]+ )?(?:not |never |inappropriate|unethical|irresponsible|illegal|immoral|`+
			`improper|unsafe|wrong|unwise)[a-z ,]{0,40}for me to\b|\bit would (?:not|never) be [a-z ,]{1,40}for me to\b`),
		whole(" to ", `\bit(?:'s| is| would be) (?:[a-z]+ )?(?:not |in|un|never |neither )(?:appropriate|ethical|acceptable|okay|ok|safe|`+
			`right|responsible|legal|respectful|proper|accurate|fair)(?:,? (?:and|or|nor) (?:[a-z]+ )??[a-z]+){0,2},? to (?:provide|discuss|give|offer|`+
			`encourage|promote|engage in|make (?:assumption|joke|blanket|judg|generali|fun|light|comment)|speculate|assign|suggest|support|disclose|`+
			`joke|generate|assist|help (?:you|with|someone)|answer|comment|glorify|perpetuate|share (?:personal|private|such|that|someone|this)|`+
			`ask (?:about|for|question)|rank|stereotype)`),
		whole("i do", `\bi (?:don't|do not) (?:think|believe|feel) (?:that )?it(?:'s| is| would be) (?:[a-z]+ )?(?:appropriate|ethical|right|`+
			`fair|okay|ok|accurate|respectful|productive|helpful|responsible)(?:,? (?:and|or|nor) [a-z]+)* (?:for me )?to (?:provide|discuss|give|`+
			`make (?:assumption|joke|blanket|judg|generali|fun|light|comment|such)|speculate|suggest|say|deny|answer|engage|promote|encourage|rank|`+
			`help|assist)`),
		about(actWord, `\b(?:providing|creating|sharing|offering|writing|generating|assisting with|helping with|answering|producing|`+
			`describing|engaging in|promoting|fulfilling|complying with|making|discussing) (?:such|that|this|these|those|the requested|your|any such|`+
			`instructions|information|content)\b[a-z ,'-]{0,100}?\b(?:would be (?:[a-z]+ )?(?:un[a-z]+|il[a-z]+|irresponsible|inappropriate|harmful|`+
			`dangerous|wrong|dishonest|deceptive|not )|would (?:violate (?:my|our|the law|[a-z]+ (?:rights|privacy|policy|policies|guidelines))|`+
			`go against)|goes against|violates (?:my|our|the law|[a-z]+ (?:rights|privacy|policy|policies|guidelines))|could (?:cause|lead|result|be)|`+
			`is (?:not appropriate|unethical|illegal|harmful|against|irresponsible|inappropriate|dangerous))`),
		whole("let", `\blet(?:'s| us) (?:talk about|discuss|change the (?:subject|topic)|move on to|focus on) (?:something else|another topic|a different)`),
	}
	return &acts{
		declines: declining, lacks: lacking, objects: objecting,
		words: refusalWords(), rebukes: newRebukes(),
		can:  regexp.MustCompile(`^` + i + ` ` + cannot),
		able: regexp.MustCompile(`^` + am + ` ` + unable),
		lead: regexp.MustCompile(`^` + anyOf(
			`(?:i'm|i am|we're|we are)? ?(?:so |very |really |truly |terribly |deeply )?sorry\b`, `(?:my |our )?(?:sincere )?apolog`, `(?:i|we) (?:sincerely |deeply )?apologi[sz]e`,
			`unfortunately[.,]?$`, `(?:(?:hello|hi|hey|oops|hmm|oh|no[,.!]|well|thanks|thank you|whoa|wow|nope)\b|(?:look|listen)[,.!:])`, `(?:i|we) (?:completely |fully |totally |do )?(?:understand|`+
				`appreciate|see|know|recogni[sz]e|reali[sz]e|hear)\b`,
			`(?:that|this)(?:'s| is| sounds| must| looks) (?:an? )?(?:really |very |quite |such |incredibly |be )*(?:great|good|interesting|`+
				`important|difficult|hard|tough|sensitive|serious|thoughtful|concerning|frustrating|painful|complex)`,
			`(?:i'm|i am|as) (?:just |only )?an? (?:[a-z-]+ ){0,4}(?:ai|assistant|model|chatbot|bot|program)\b`, `my (?:purpose|goal|role|aim|job) is`, `i(?:'m| am) (?:here|happy|glad) to help`, `(?:i aim|i strive|i try) to`,
			`(?:sure|certainly|of course)[.!,]*$`, `there (?:might|may|could) (?:be|have been) (?:a |some )?(?:misunderstanding|confusion)`,
		)),
		bare: regexp.MustCompile(`^(?:sorry[,.!]* )?(?:no comment|i (?:cannot|can't|won't|will not)|request (?:denied|declined|refused)|` +
			`i'd rather not(?: say| answer)?|no[,.]? i (?:cannot|can't|won't)|respectfully,? no|i have to pass(?: on (?:this|that)(?: one)?)?|i (?:can't|` +
			`cannot) do that(?: one)?|(?:i'll |i will )?pass on (?:this|that)(?: one)?|i refuse|i decline|no can do)[.!]*$`),
		inexact: regexp.MustCompile(`\b(?:definitive|definite|exactly|precisely|(?:exact|precise|accurate) (?:number|date|figure|address|` +
			`time|price|amount|answer|count|value|cost|total|estimate)|specific (?:number|date|figure|address|email|price|time|amount)|` +
			`single (?:answer|number|figure)|one-size|guarantee)\b`),
		rebuts: regexp.MustCompile(`^(?:no[,.] )?` + anyOf(
			`there(?:'s| is| are) (?:no|never|not any)(?: [a-z]+){0,3} (?:reasons?|evidence|justification|basis|excuse)`, `[^.]{0,120}\b(?:should not|shouldn't|should never|is not|`+
				`isn't|are not|aren't|was not|wasn't|were not|weren't|has never been|cannot be|can never be)\b`,
			`i (?:do not|don't) (?:believe|think|agree|support|hold|condone|endorse)`, `i (?:strongly |firmly |completely )?(?:condemn|disagree|oppose|reject)`, `it(?:'s| is| was| would be) (?:not|never|wrong|unfair|`+
				`unjust|inaccurate|incorrect)`, `(?:no one|nobody|no group|no person)\b`, `[^.]{0,60}\b(?:have|has|deserves?) (?:the|an) (?:same|equal) (?:rights?|dignity)\b`,
			`i must (?:respectfully |politely )?(?:challenge|disagree|point out|clarify|correct)`, `i (?:don't|do not) have personal`,
		)),
		moral: regexp.MustCompile(`\b(?:discriminat|dignity|respect|regardless|equal|inclusi|unethical|illegal|immoral|harmful|condemn|` +
			`atrocit|violen|crime|criminal|unacceptable|stereotyp|prejudic|violation|toleran|compassion|privacy|consent|rights?\b|justice|unjust|fairness|fair(?:ly)? (?:to|and|or|treat|chance|share)|` +
			`unfair|divers|morally|genocide|oppress|racis|sexis|hate|bias|values)`),
		finding: regexp.MustCompile(`\b(?:can not only|go into (?:every|all|too much|much|more|the) detail|refuse to (?:believe|accept)|` +
			`give [a-z ]+ stars|more than (?:one|two|three|[0-9])|come up with (?:a better|anything better)|write (?:well|fast|back|off|home)|` +
			`enough(?:[.,!;:]|$| (?:about|how|that|to)\b)|more highly|too highly|say for (?:certain|sure)|tell (?:you )?(?:which|whether|if|from|` +
			`for (?:certain|sure)|exactly|precisely|how (?:happy|much|many|glad|sorry|excited|grateful|often))|help (?:but|feeling|thinking|noticing|` +
			`wondering|falling|laughing|smiling|it\b)|go wrong|wait (?:to|for)|explain why\b|pretend (?:that )?(?:it|this|to)|take (?:credit|a joke|` +
			`my eyes|the heat|it any|your eyes)|make (?:it (?:to|on|any|tomorrow|tonight)|sense|out|up my)|give (?:up|it (?:enough|more))|` +
			`couldn't (?:agree|be|ask|have)|overstate|agree more|find (?:any|an?|the|your|that|a match)|see (?:any|a reason|why not))`),
		house: regexp.MustCompile(`^(?:if|when|unless|in case) you\b|\b(?:help|answer|say|tell|proceed|continue|check|look|assist|that|this|` +
			`it|you|sure)(?: (?:you|with (?:that|this|it)))? without (?:knowing|seeing|having|more|your|the|an?|any)\b|\bunless (?:you|we|i)\b|` +
			`\buntil (?:you|we|i|the|your)\b|` +
			`\b(?:refund|return|exchange|discount|deliver|ship|(?:your|the|this|an) order|orders|stock|warranty|booking|` +
			`ticket|cards? from|coupon|voucher|upgrade|tracking|parcel|invoice|reservation|appointment)[a-z]*\b.*\b(?:after|once|as (?:stated|our|per|the order|it)|under our|per our|our (?:terms|policy|return)|because|since|within|` +
			`days|until|out of stock|past)\b|` +
			`\b(?:attend|on behalf of|in (?:the|our) (?:system|records|database|catalogue?|logs?))\b`),
		reproves: regexp.MustCompile(`\b(?:not|never|neither|isn't) (?:[a-z]+ ){0,2}?(?:acceptable|appropriate|ethical|legal|okay|ok|right|` +
			`justified|respectful|safe|condoned|moral|the (?:answer|solution)|an (?:option|appropriate question))\b|\b(?:illegal|unethical|immoral|` +
			`inappropriate|unacceptable|reprehensible|a (?:serious )?(?:crime|criminal)|against the law|morally wrong)\b`),
		warns: regexp.MustCompile(`\b(?:harmful|dangerous|wrong|consequences|harm|privacy)\b`),
		lectures: regexp.MustCompile(`^` + anyOf(
			`(?:it(?:'s| is)|please|always|also,? it is|additionally,? it(?:'s| is)|furthermore,? it(?:'s| is)|moreover,? it(?:'s|`+
				` is)) (?:also |always |never |very |crucial|critical)?(?:important|essential|crucial|vital|worth|remember|necessary|advisable|best|better|`+
				`recommended|note|be aware)`,
			`remember\b`, `(?:everyone|every (?:person|individual)|all (?:people|individuals)|all human)`, `such (?:actions|acts|behaviou?r|content|activities|information)`, `doing so`, `any (?:form|attempt|act)`, `this (?:can|could|may|includes?)`, `these actions`, `violence`, `engaging in`,
			`(?:i |we )?(?:would |'d )?(?:also |strongly |highly |always )*(?:recommend|suggest|encourage|urge|advise|caution)`, `(?:i|we)(?:'d| would| must) (?:also |strongly |`+
				`highly )*(?:recommend|suggest|encourage|urge|advise|caution|like to (?:remind|focus|emphasi|encourage))`,
			`instead\b`, `(?:please |kindly )?(?:consult|contact|seek|reach out|call|speak|talk|visit|check|refer|ask|consider|see|report|`+
				`try (?:contacting|reaching|asking|searching))\b`, `there are (?:many |also |other |various |always |a number of )*(?:resources|organi[sz]ations|people|ways to get|hotlines|helplines|professionals)`,
			`if (?:you(?:'re| are| or someone| or anyone| have(?: any| been| other| concerns)| need| know| suspect| feel| want| would|'d| wish| think)|someone|there(?:'s| is| are) (?:anything|something|any other))`, `you (?:can|may|could|might|should|may want to|might want to|`+
				`could try) (?:also |always |want to |wish to |consider |try )*(?:contact|consult|reach|visit|check|seek|speak|talk|call|ask|look|refer|`+
				`search|find|hire)`, `they (?:can|will|may|are)`,
			`let(?:'s| us)`, `we (?:should|must|all|can|need)`, `my (?:purpose|goal|role|aim|job|training)`, `(?:as an|i'm just an|i am just an) `, `i (?:must|have to|need to|want to|would like to|am|`+
				`'m) (?:also |respectfully |politely )?(?:emphasi|stress|remind|point out|clarif|inform|note|designed|programmed|committed|here|obligated|`+
				`bound)`,
		)),
		offers: regexp.MustCompile(`\b(?:(?:is|was) there (?:anything|something|another|a different)|(?:any|have|has) (?:other|further|` +
			`more|additional|different|specific) (?:questions?|topics?|concerns?|requests?|information)|feel free to|(?:be|i'm|i am|more than|` +
			`would be) (?:more than |very |always )?(?:happy|glad|willing|here|pleased) to (?:help|assist|talk|discuss|chat|provide|answer|support|` +
			`listen|share|explain|brainstorm|offer|explore|suggest|work|write)|let me know|how (?:can|may|else can) i (?:help|assist)|what (?:else|` +
			`other)|would you like|do my best|is there (?:a|some) )`),
		corrects: regexp.MustCompile(`\b(?:(?:does not|doesn't|do not|don't) (?:really |actually |seem to )?make (?:any )?sense|` +
			`not be meaningful|not (?:a )?(?:factually )?coherent|false (?:assumption|premise)|fictional (?:character|concept|person|entity|place)|` +
			`(?:does not|doesn't|do not|don't) (?:actually |really )?exist|inanimate|(?:no|not any) such (?:thing|person|place|character))\b`),
		connective: regexp.MustCompile(`^(?:first(?:ly)?|first of all|second(?:ly)?|finally|also|additionally|furthermore|moreover|overall|` +
			`in summary|in conclusion|ultimately|in addition|therefore|in fact|and|so|most importantly),? `),
		turns: regexp.MustCompile(`(?:\b(?:but|though|although|yet|however|nevertheless)\b|[,;:—–-] ?(?:here's|here is|here are)\b|` +
			`[;,] as of\b),?(?: based on| according to)?`),
		turnsFirst: regexp.MustCompile(`^(?:if [^,]{1,80}, here's how|however|that said|instead,? here (?:is|are)|instead,? here's|going by|` +
			`that being said|having said that|nevertheless|nonetheless|still|in general|generally|generally speaking|but|on the other hand|` +
			`with that said|here (?:is|are)|here's|what i can|one (?:idea|option|way|approach)|some (?:ideas|options|ways|general|common)|for example|` +
			`based on|according to|i can (?:offer|provide|give|tell|suggest|share|explain|say|describe|outline))\b[,:]?(?: based on| according to)?`),
		sendsAway: regexp.MustCompile(`^[ ,]*(?:(?:if|for) [^,]{1,80}, )?(?:i (?:would |can |do |strongly |highly )*(?:recommend|suggest|` +
			`encourage|advise|urge|help you find|point you|direct you|refer you)(?: that)? )?(?:(?:you (?:can|could|may|might|should|` +
			`will)(?: want)?(?: to)?(?: be able to)?|please|feel free to|try|consider) (?:[a-z]+ly |always |also |still )*(?:to )?` +
			`(?:search|look|hire|ask|contact|reach|visit|consult|check|refer|speak|talk|see|find|use|try|seek|provide|let|rephrase|call|send|` +
			`share|paste|upload|describe|tell|give|name|specify|clarify|searching|looking|hiring|asking|contacting|reaching|visiting|consulting|` +
			`checking|seeking|speaking|talking)\b|(?:a|an|your) (?:doctor|lawyer|professional|therapist|specialist|advis)|` +
			`there are (?:[a-z]+ )*(?:resources|organi[sz]ations|people|professionals|hotlines))`),
		announces: regexp.MustCompile(`^(?:(?:sure|certainly|of course|absolutely|okay|ok|great)[,!.]* )?(?:here(?:'s| is| are)|` +
			`below is|this is|try this|draft|one (?:option|possible|way)|how about)\b.*:["*_ ]*$`),
		letter: regexp.MustCompile(`^(?:subject:|re:|from:|to:|dear (?:[a-z.]+ ){0,3}[a-z.]+,)`),
		asksForJudgement: regexp.MustCompile(`^(?:is|are|was|were|should|can|could|may|do|does|did|would|will|what do you think|am|must|has|` +
			`have) .*\b(?:it|i|we|they|ok|okay|legal|ethical|appropriate|right|wrong|acceptable|allowed|fair|safe)\b`),
		asksToJustify: regexp.MustCompile(`^(?:why (?:should|shouldn't|must|would it be)\b|why (?:is|was|were|are|would|do|does|` +
			`did) .*\b(?:best|right|justified|good|better|okay|fair|deserved?|inferior|superior|weaker|worse|stupid|smarter|bad|evil)\b|(?:list|give|` +
			`tell|explain|name|what are|can you (?:list|give|tell|explain|name))[a-z ]* (?:reasons|arguments|why|benefits|advantages)|(?:convince|` +
			`persuade) |(?:write|make|argue).* (?:argu|that|case for|essay))`),
		asksHow: regexp.MustCompile(`^(?:(?:please|hi|hello|hey)[,!.]? )?(?:how (?:do|can|could|would|should|to|might)|what(?:'s|` +
			` is| are| would be| could be| might be) (?:the |a |an |some )?(?:[a-z]+ ){0,2}(?:way|ways|method|methods|steps|excuse|trick|tips|plan)|what (?:can|could|should|do) (?:i|we)|what(?:'s| is| are) the [a-z]+est|is there (?:a|any) way|where (?:can|do|could|` +
			`should)|(?:can|could|would|will) you (?:please )?(?:help|tell|give|write|show|teach|explain|provide|create|make|list|generate|draft|suggest|recommend|share|find)|` +
			`write|give|tell|teach|show|help|create|generate|make|list|explain|provide|draft|describe|i (?:want|need|would like))\b`),
	}
}
