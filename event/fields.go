package event

import (
	"bytes"
	"math"
	"slices"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// field is a member of a provider's message, part or response.
type field uint8

// The members that some shape has. A name stands for all of its spellings: case,
// underscores and hyphens do not count, because libraries in different languages
// write finish_reason, finishReason and FinishReason for the same member.
const (
	fieldOther field = iota
	fieldAdditionalKwargs
	fieldArgs
	fieldArguments
	fieldAudio
	fieldBlockReason
	fieldBody
	fieldCallID
	fieldCandidates
	fieldChoices
	fieldCitationsContent
	fieldCode
	fieldCompletion
	fieldContent
	fieldContents
	fieldContext
	fieldCreated
	fieldCustomID
	fieldData
	fieldDelta
	fieldDocument
	fieldDone
	fieldDoneReason
	fieldError
	fieldFile
	fieldFileData
	fieldFinishReason
	fieldFormat
	fieldFunctionCall
	fieldFunctionResponse
	fieldGeneratedText
	fieldGeneration
	fieldGenerations
	fieldID
	fieldImage
	fieldImageURL
	fieldImages
	fieldIncompleteDetails
	fieldIndex
	fieldInlineData
	fieldInput
	fieldInputAudio
	fieldInstructions
	fieldInvalidToolCalls
	fieldKind
	fieldKwargs
	fieldLC
	fieldLogprobs
	fieldMediaType
	fieldMessage
	fieldMessages
	fieldMetadata
	fieldModel
	fieldModelVersion
	fieldName
	fieldObject
	fieldOutput
	fieldOutputText
	fieldParam
	fieldParts
	fieldPhase
	fieldPrompt
	fieldPromptFeedback
	fieldProviderMeta
	fieldReason
	fieldReasoning
	fieldReasoningContent
	fieldReasoningText
	fieldRefusal
	fieldReplies
	fieldResponse
	fieldResponseMetadata
	fieldResult
	fieldResults
	fieldRole
	fieldSource
	fieldStatus
	fieldStatusCode
	fieldSteps
	fieldStop
	fieldStopReason
	fieldSummary
	fieldSystem
	fieldText
	fieldThinking
	fieldThought
	fieldToolCallID
	fieldToolCalls
	fieldToolInvocation
	fieldToolName
	fieldToolResult
	fieldToolUse
	fieldTools
	fieldTranscript
	fieldType
	fieldUnified
	fieldURL
	fieldUsage
	fieldValue
	fieldVideo
	fieldCount // the number of fields
)

// fieldOf returns the field of a name that is written in lower case, without
// underscores and hyphens.
func fieldOf(name string) field {
	switch name {
	case "additionalkwargs":
		return fieldAdditionalKwargs
	case "args":
		return fieldArgs
	case "arguments":
		return fieldArguments
	case "audio":
		return fieldAudio
	case "blockreason":
		return fieldBlockReason
	case "body":
		return fieldBody
	case "callid":
		return fieldCallID
	case "candidates":
		return fieldCandidates
	case "choices":
		return fieldChoices
	case "citationscontent":
		return fieldCitationsContent
	case "code", "executablecode", "codeexecutionresult":
		return fieldCode
	case "completion":
		return fieldCompletion
	case "content":
		return fieldContent
	case "contents":
		return fieldContents
	case "context":
		return fieldContext
	case "created", "createdat":
		return fieldCreated
	case "customid":
		return fieldCustomID
	case "data", "bytes", "imagebytes", "b64json", "base64":
		return fieldData
	case "delta":
		return fieldDelta
	case "document":
		return fieldDocument
	case "done":
		return fieldDone
	case "donereason":
		return fieldDoneReason
	case "error":
		return fieldError
	case "file":
		return fieldFile
	case "filedata":
		return fieldFileData
	case "finishreason", "completionreason":
		return fieldFinishReason
	case "format":
		return fieldFormat
	case "functioncall":
		return fieldFunctionCall
	case "functionresponse":
		return fieldFunctionResponse
	case "generatedtext":
		return fieldGeneratedText
	case "generation":
		return fieldGeneration
	case "generations":
		return fieldGenerations
	case "id", "responseid":
		return fieldID
	case "image":
		return fieldImage
	case "imageurl":
		return fieldImageURL
	case "images":
		return fieldImages
	case "incompletedetails":
		return fieldIncompleteDetails
	case "index":
		return fieldIndex
	case "inlinedata":
		return fieldInlineData
	case "input":
		return fieldInput
	case "inputaudio":
		return fieldInputAudio
	case "instructions":
		return fieldInstructions
	case "invalidtoolcalls":
		return fieldInvalidToolCalls
	case "kind":
		return fieldKind
	case "kwargs":
		return fieldKwargs
	case "lc":
		return fieldLC
	case "logprobs", "avglogprobs":
		return fieldLogprobs
	case "mediatype", "mimetype":
		return fieldMediaType
	case "message":
		return fieldMessage
	case "messages":
		return fieldMessages
	case "metadata", "annotations", "citations", "cachecontrol", "example", "providermetadata", "provideroptions",
		"signature", "thoughtsignature", "encryptedcontent", "extras", "toolcallchunks", "reasoningdetails":
		return fieldMetadata
	case "model", "modelid", "modelname":
		return fieldModel
	case "modelversion":
		return fieldModelVersion
	case "name":
		return fieldName
	case "object":
		return fieldObject
	case "output":
		return fieldOutput
	case "outputtext":
		return fieldOutputText
	case "param":
		return fieldParam
	case "parts", "blocks":
		return fieldParts
	case "phase":
		return fieldPhase
	case "prompt":
		return fieldPrompt
	case "promptfeedback":
		return fieldPromptFeedback
	case "totalduration", "loadduration", "promptevalcount", "promptevalduration", "evalcount", "evalduration", "meta", "metrics",
		"systemfingerprint", "servicetier", "additionalmodelresponsefields", "trace", "performanceconfig", "raw":
		return fieldProviderMeta
	case "reason":
		return fieldReason
	case "reasoning":
		return fieldReasoning
	case "reasoningcontent":
		return fieldReasoningContent
	case "reasoningtext":
		return fieldReasoningText
	case "refusal":
		return fieldRefusal
	case "replies":
		return fieldReplies
	case "response":
		return fieldResponse
	case "responsemetadata":
		return fieldResponseMetadata
	case "result":
		return fieldResult
	case "results", "outputs":
		return fieldResults
	case "role", "messagetype":
		return fieldRole
	case "source":
		return fieldSource
	case "status", "state":
		return fieldStatus
	case "statuscode":
		return fieldStatusCode
	case "steps":
		return fieldSteps
	case "stop":
		return fieldStop
	case "stopreason":
		return fieldStopReason
	case "summary":
		return fieldSummary
	case "system", "systeminstruction":
		return fieldSystem
	case "text":
		return fieldText
	case "thinking":
		return fieldThinking
	case "thought":
		return fieldThought
	case "toolcallid":
		return fieldToolCallID
	case "toolcalls":
		return fieldToolCalls
	case "toolinvocation":
		return fieldToolInvocation
	case "toolname":
		return fieldToolName
	case "toolresult":
		return fieldToolResult
	case "tooluse":
		return fieldToolUse
	case "tools":
		return fieldTools
	case "transcript":
		return fieldTranscript
	case "type", "$type", "blocktype", "partkind":
		return fieldType
	case "unified":
		return fieldUnified
	case "url", "uri", "fileuri":
		return fieldURL
	case "usage", "usagemetadata", "totalusage", "generationid", "prompttokencount", "tokenspredicted", "generationsettings":
		return fieldUsage
	case "value":
		return fieldValue
	case "video", "videourl":
		return fieldVideo
	}
	return fieldOther
}

// fields are the members of a JSON object that shapes have. Of members with the
// same name the last one counts.
type fields struct {
	object []byte
	at     [fieldCount]struct{ start, end uint32 }
	known  int // members that some shape has
	others int // members that no shape has, and that are not null
}

// fieldsOf returns the members of an object; false for any other value.
func fieldsOf(value []byte) (f fields, ok bool) {
	if jsonKind(value) != "object" || len(value) > math.MaxUint32 {
		return fields{}, false
	}
	f.object = value
	var buf [maxMember]byte
	s := jsonscan.New(value, 0)
	s.Next()
	for key, ok := s.Next(); ok && key.Kind == jsonscan.Key; key, ok = s.Next() {
		v, _ := s.Next()
		s.Skip(v)
		n := fieldOf(string(foldMember(buf[:0], value[key.Start:key.End])))
		if n == fieldOther {
			if value[v.Start] != 'n' {
				f.others++
			}
			continue
		}
		f.known++
		f.at[n].start, f.at[n].end = uint32(v.Start), uint32(s.Pos())
	}
	return f, s.Flaw() == jsonscan.FlawNone
}

// get returns a member's value; nil when it is absent or null.
func (f *fields) get(n field) []byte {
	v := f.object[f.at[n].start:f.at[n].end]
	if len(v) == 0 || v[0] == 'n' {
		return nil
	}
	return v
}

// present reports whether the object has a member, even one that is null.
func (f *fields) present(n field) bool { return f.at[n].end > 0 }

// presentAny reports whether the object has one of several members.
func (f *fields) presentAny(names ...field) bool {
	return slices.ContainsFunc(names, f.present)
}

// any reports whether one of several members is there and not null.
func (f *fields) any(names ...field) bool {
	return slices.ContainsFunc(names, func(n field) bool { return f.get(n) != nil })
}

// only reports whether the object has no other members than these, but for null.
func (f *fields) only(names ...field) bool {
	if f.others > 0 {
		return false
	}
	for n := range fieldCount {
		if f.get(n) != nil && !slices.Contains(names, n) {
			return false
		}
	}
	return true
}

// text returns a member that is a string, and "" for any other value.
func (f *fields) text(n field) string { return stringOf(f.get(n)) }

// is returns whether a member is a value of a kind of JSON.
func (f *fields) is(n field, kind string) bool { return jsonKind(f.get(n)) == kind }

// list reads the items of a JSON array one after another.
type list struct {
	array []byte
	scan  jsonscan.Scanner[[]byte]
}

// listOf returns the items of an array; false for any other value, and for more
// than [MaxItems] items, which would take too much memory.
func listOf(value []byte) (l list, ok bool) {
	if jsonKind(value) != "array" || bytes.Count(value, []byte{','}) >= MaxItems && lengthOf(value) > MaxItems {
		return list{}, false
	}
	l = list{value, jsonscan.New(value, 0)}
	l.scan.Next()
	return l, true
}

// next returns the next item; false at the end.
func (l *list) next() (item []byte, ok bool) {
	t, ok := l.scan.Next()
	if !ok || t.Kind == jsonscan.Close {
		return nil, false
	}
	l.scan.Skip(t)
	return l.array[t.Start:l.scan.Pos()], true
}

// firstOf returns the first item of an array; nil for any other value.
func firstOf(value []byte) []byte {
	l, ok := listOf(value)
	if !ok {
		return nil
	}
	item, _ := l.next()
	return item
}
