package tensor

import (
	"errors"
	"fmt"

	"hearth/ml"
)

// Request is a predict request, decoded.
type Request struct {
	// Signature is the one that the request named, or meant by naming none.
	Signature *Signature
	// Inputs are the tensors by alias; dimension 0 of each is the instances.
	// An input that no instance holds is left out: the graph may have a default.
	Inputs map[string]*Tensor
	// Instances is how many instances the request held, 0 if it held whole
	// tensors.
	Instances int
	// Outputs are the aliases of the outputs that the answer is to hold; none means
	// all.
	Outputs []string
}

// dialect is what the dialects of predict's JSON read differently.
type dialect struct {
	// choose finds the signature that a name means; empty for no name.
	choose func(signatures map[string]*Signature, name string) (*Signature, error)
	// columnar: whole tensors may come under "inputs", in place of "instances".
	columnar bool
	// everyInput: no input may be left out of all instances.
	everyInput bool
	// open: what follows the closing brace is not looked at.
	open bool
}

var aiPlatform = dialect{choose: Select}

// Decode reads the body of a predict request, {"instances": […],
// "signature_name": "…"}, also when it is wrapped as {"httpBody": {"data":
// BASE64}}. Members that it does not know are ignored. A signature with a
// [Signature.FixedBatch] takes any number of instances: whoever runs it makes
// batches of that size. Every error is an INVALID_ARGUMENT that says, in the
// words of AI Platform's prediction library, what does not fit, and where.
func Decode(body []byte, signatures map[string]*Signature) (Request, error) {
	r, err := decode(body, signatures)
	return r, inWords(err, "Invalid inputs: %s (Error code: 1)")
}

// inWords puts the message of an INVALID_ARGUMENT into a sentence.
func inWords(err error, format string) error {
	var e *ml.Error
	if !errors.As(err, &e) || e.Kind != ml.InvalidArgument {
		return err
	}
	return ml.Errorf(ml.InvalidArgument, format, e.Message)
}

func decode(body []byte, signatures map[string]*Signature) (Request, error) {
	// Nearly every request can be read in one pass; what cannot, or is wrong,
	// is read again with all that is known after the first.
	if r, ok := aiPlatform.decodeOnce(body, signatures); ok {
		return r, nil
	}
	m, err := aiPlatform.findMembers(body)
	if err != nil {
		return Request{}, invalid("the request body: %v", err)
	}
	if m.instances < 0 && m.wrapped != nil {
		inner, err := decodeBase64(m.wrapped)
		if err != nil {
			return Request{}, invalid("httpBody.data: %v", err)
		}
		body = inner
		if m, err = aiPlatform.findMembers(body); err != nil {
			return Request{}, invalid("the request body inside httpBody: %v", err)
		}
	}
	if m.instances < 0 {
		return Request{}, invalid(`the request has no "instances"`)
	}
	signature, err := Select(signatures, m.signature)
	if err != nil {
		return Request{}, err
	}
	r, _, err := aiPlatform.instances(scanner{body, m.instances}, signature)
	return r, err
}

// decodeOnce reads a body without looking ahead: it takes the signature that is
// known when the tensors come, and is not ok if another one is named later.
func (d dialect) decodeOnce(body []byte, signatures map[string]*Signature) (r Request, ok bool) {
	s := scanner{b: body}
	if s.expect('{') != nil {
		return r, false
	}
	name := ""
	for more := true; more; {
		key, err := s.key()
		if err != nil {
			return r, false
		}
		switch columnar := d.columnar && string(key) == "inputs"; {
		case string(key) == "signature_name":
			if name, err = s.name(); err != nil || name == "" {
				return r, false
			}
		case string(key) == "instances" || columnar:
			if r.Signature != nil {
				return r, false
			}
			signature, err := d.choose(signatures, name)
			if err != nil {
				return r, false
			}
			if columnar {
				r, s.i, err = d.inputs(s, signature)
			} else {
				r, s.i, err = d.instances(s, signature)
			}
			if err != nil {
				return r, false
			}
		default:
			if s.skip() != nil {
				return r, false
			}
		}
		if more, err = s.next('}'); err != nil {
			return r, false
		}
	}
	if s.space(); !d.open && s.i < len(body) || r.Signature == nil {
		return r, false
	}
	return r, name == "" || r.Signature.Name == name
}

// members is what the top level of a request holds.
type members struct {
	signature string
	instances int    // where the value starts, -1 for none
	inputs    int    // the same, where they are known
	wrapped   []byte // httpBody.data
}

// findMembers reads the top level of a request.
func (d dialect) findMembers(body []byte) (members, error) {
	s := scanner{b: body}
	m := members{instances: -1, inputs: -1}
	named := false
	err := s.object(func(key string) (err error) {
		switch key {
		case "signature_name":
			if named {
				return fmt.Errorf("signature_name is given twice%s", s.where())
			}
			named = true
			m.signature, err = s.name()
			return err
		case "instances":
			if m.instances >= 0 {
				return fmt.Errorf("instances is given twice%s", s.where())
			}
			s.space()
			m.instances = s.i
		case "inputs":
			if d.columnar && m.inputs >= 0 {
				return fmt.Errorf("inputs is given twice%s", s.where())
			}
			s.space()
			m.inputs = s.i
		case "httpBody":
			if s.space() == '{' {
				return s.object(func(key string) error {
					if key == "data" && s.space() == '"' {
						m.wrapped, err = s.str()
						return err
					}
					return s.skip()
				})
			}
		}
		return s.skip()
	})
	if err != nil {
		return m, err
	}
	if s.space(); !d.open && s.i < len(body) {
		return m, fmt.Errorf("expected the end of the JSON, found %s", s.found())
	}
	return m, nil
}

// object reads an object; value is called behind each name to read what follows.
func (s *scanner) object(value func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.space() == '}' {
		s.i++
		return nil
	}
	for more := true; more; {
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := value(string(key)); err != nil {
			return err
		}
		if more, err = s.next('}'); err != nil {
			return err
		}
	}
	return nil
}

// name reads a string or null, which is the empty string.
func (s *scanner) name() (string, error) {
	switch c := s.space(); {
	case c == '"':
		text, err := s.str()
		return string(text), err
	case s.literal("null"):
		return "", nil
	}
	return "", fmt.Errorf("signature_name must be a string, found %s", s.found())
}
