package service

import (
	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// List returns all models with their versions.
func (s *Service) List() []explaind.ModelStatus { return s.models.List() }

// Describe tells all there is to know about a model that is ready.
func (s *Service) Describe(sel Selector) (*Description, error) {
	h, err := s.acquire(sel)
	if err != nil {
		return nil, err
	}
	defer h.Release()
	d := &Description{Ref: h.Ref, Spec: h.Model.Spec()}
	d.OfInput = explain.Supported(d.Spec, nil)
	for i := range d.Spec.Layers {
		d.Methods = append(d.Methods, explain.Supported(d.Spec, &d.Spec.Layers[i]))
	}
	for _, m := range s.models.List() {
		if m.Name == h.Ref.Name {
			d.Versions = m.Versions
		}
	}
	return d, nil
}

func (s *Service) acquire(sel Selector) (*explaind.Handle, error) {
	return s.models.Acquire(sel.Model, sel.Version, sel.Label)
}
