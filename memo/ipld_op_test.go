package memo

// deltaParts is the array that DESIGN.md §3 prescribes for d, spelt out.
func deltaParts(t failer, d Delta) []any {
	parts := []any{[]byte(d.Field), uint64(d.Type)}
	switch {
	case d.Type == Counter:
		return append(parts, countParts(d.Op.Operands.(*Count))...)
	case d.Type == Multi || d.Type == Set:
		return append(parts, changeParts(d.Type, d.Op.Operands.(*Change))...)
	case d.Type != Register:
		for _, op := range d.Op.Operands.(Unknown) {
			parts = append(parts, rawParts(t, op))
		}
		return parts
	case !d.Op.Set:
		return append(parts, uint64(0))
	}
	return append(parts, uint64(1), valuePart(d.Op.Value))
}

func valuePart(v Value) any {
	return map[ValueKind]any{
		NullValue: nil, BoolValue: v.Bool(), IntValue: v.Int(), FloatValue: v.Float(),
		TextValue: v.Text(), BytesValue: v.Bytes(),
	}[v.Kind()]
}

func countParts(c *Count) []any {
	var base any
	switch {
	case c.Base.Own:
		base = uint64(1)
	case c.Base != Base{}:
		base = []any{uint64(c.Base.Time), c.Base.Author[:], c.Base.ID[:]}
	}
	switch {
	case c.Minus != 0:
		return []any{base, c.K, c.Plus, c.Minus}
	case c.Plus != 0:
		return []any{base, c.K, c.Plus}
	}
	return []any{base, c.K}
}

func changeParts(t CellType, c *Change) []any {
	parts := []any{c.K}
	elements := []any{}
	for _, v := range c.Add {
		elements = append(elements, valuePart(v))
	}
	switch {
	case c.K == 0:
	case t == Multi:
		parts = append(parts, elements[0])
	default:
		parts = append(parts, elements)
	}
	removed := []any{}
	for _, r := range c.Remove {
		group := []any{any(nil)}
		if r.Author != (Author{}) {
			group[0] = r.Author[:]
		}
		for _, k := range r.Ks {
			group = append(group, k)
		}
		removed = append(removed, group)
	}
	if len(removed) == 0 {
		return parts
	}
	return append(parts, removed)
}
