package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"lightcone/memo"
)

// This file keeps a space's Rights: what each memo does to them as it is taken in,
// and what they do to runs that come. Whether an author's first memo may attach is a
// function of its past. Whether a run beyond a revocation may is not, for whoever did
// not know of it has attached the run; so the log is trusted for that.

// govern notes what m means for the rights of the space. Memos come in the order of
// the log.
func (s *Store) govern(sp *space, m *memo.Memo) {
	r := sp.rights
	if r == nil {
		return
	}
	st, known := r.standing(m.Author)
	switch {
	case !known:
		if st, known = r.begins(m); !known {
			return
		}
		s.stand(sp, st)
	case st.role < memo.Granter && r.named(st, m) > st.role:
		st.role = r.named(st, m)
		s.stand(sp, st)
	}
	switch b := m.Body.(type) {
	case *memo.Grant:
		if st.role == memo.Granter && !r.Root(b.Author) {
			g := given{to: b.Author, by: m.Head(), level: st.level + 1, role: b.Role}
			r.grants.Set(g)
			s.set(grantKey(sp.id, g), g.encode())
			sp.ruled = true
			if r.stops.Len() > 0 { // a first memo that names it may lift its other causes now
				s.woken = append(s.woken, s.pending.wakeFirst(sp.id, g.to)...)
			}
		}
	case *memo.Revoke:
		s.revoke(sp, st, b)
	}
}

// stand records what an author's chain entitles it to.
func (s *Store) stand(sp *space, st standing) {
	sp.rights.standings.Set(st)
	s.set(authorKey(prefixStanding, sp.id, st.author), st.encode())
	sp.ruled = true
}

// revoke takes a revocation by one of that standing, if it may.
func (s *Store) revoke(sp *space, by standing, b *memo.Revoke) {
	r := sp.rights
	if !r.mayRevoke(by.author, b.Author) {
		return
	}
	v := stop{of: b.Author, by: by.author, level: by.level, seq: b.Seq, id: b.ID}
	if old, ok := r.stops.Get(v); ok && cmp.Or(cmp.Compare(old.seq, v.seq), old.id.Compare(v.id)) <= 0 {
		return
	}
	r.stops.Set(v)
	s.set(stopKey(sp.id, v), v.encode())
	sp.ruled = true
	s.relift(sp) // runs that wait may not be entitled to lift others any more
}

// admits decides whether m, whose causes are all attached, may begin a chain. That
// its causes are attached means that the genesis is, if m is not it; and that
// everybody who holds them decides alike.
func (sp *space) admits(m *memo.Memo) error {
	if m.Seq != 1 || m.Kind() == memo.KindGenesis {
		return nil
	}
	if sp.rights != nil && !sp.rights.Root(m.Author) {
		if _, ok := sp.rights.begins(m); !ok {
			return fmt.Errorf("%w: %s names no grant to its author that goes back to a root key", ErrNotPermitted, m.Head())
		}
		return nil
	}
	for _, d := range m.Deps {
		if d.ID == memo.ID(sp.id) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s: the first memo of an author in an open space, and of a root key, depends on the genesis",
		memo.ErrInvalid, m.Head())
}

// mayAppend returns an error if m, of this replica, is beyond a revocation.
func (sp *space) mayAppend(m *memo.Memo) error {
	if sp.rights == nil {
		return nil
	}
	if st, known := sp.rights.standing(m.Author); known && sp.rights.beyond(m.Head(), st.level) {
		return fmt.Errorf("%w: its author was revoked", ErrNotPermitted)
	}
	return nil
}

// decide is judge for runs that come: those beyond a revocation are parked until a
// memo that stands depends on them.
func (s *Store) decide(r *memo.Run) (verdict, memo.Head, error) {
	v, miss, err := s.judge(r)
	if (v == attachable || v == waiting) && s.spaces[r.Space].stopped(r) {
		return parked, memo.Head{}, nil
	}
	return v, miss, err
}

// revoked reports whether anybody revoked a, with effect or not.
func (r *Rights) revoked(a memo.Author) (found bool) {
	r.stops.Ascend(stop{of: a}, func(s stop) bool {
		found = s.of == a
		return false
	})
	return found
}

// Beyond returns the heads of authors that are attached though they lie beyond a
// revocation, but for those of self: what this replica attached before it knew. A memo
// of its own that depends on them makes everybody attach them.
func (v *View) Beyond(space memo.SpaceID, self memo.Author) (heads []memo.Head) {
	sp := v.space(space)
	if sp.rights == nil {
		return nil
	}
	for m := range sp.rights.Revoked() {
		head, _ := sp.sealed.Get(m.Author)
		if st, wrote := sp.rights.standing(m.Author); wrote && m.Author != self && sp.rights.beyond(head.Head, st.level) {
			heads = append(heads, head.Head)
		}
	}
	return heads
}

// Rights returns who may write into a space of members; nil where everybody may, and
// before the genesis has come.
func (v *View) Rights(space memo.SpaceID) *Rights { return v.space(space).rights }

// loadRights reads what was recorded of a space's rights.
func (s *Store) loadRights(sp *space) error {
	r := sp.rights
	if r == nil {
		return nil
	}
	load := func(prefix byte, take func(k, v *fields)) error {
		for it, err := range scan(s.kv, spaceKey(prefix, sp.id)) {
			if err != nil {
				return err
			}
			k, v := fields{b: it.Key[33:]}, fields{b: it.Value}
			take(&k, &v)
			if err := errors.Join(k.end(), v.end()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := load(prefixStanding, func(k, v *fields) {
		r.standings.Set(standing{author: memo.Author(k.id()), level: v.uint(), role: memo.Role(v.uint())})
	}); err != nil {
		return err
	}
	if err := load(prefixGrant, func(k, v *fields) {
		g := given{to: memo.Author(k.id()), by: memo.Head{ID: k.id()}, level: v.uint(), role: memo.Role(v.uint())}
		g.by.Author, g.by.Seq = memo.Author(v.id()), v.uint()
		r.grants.Set(g)
	}); err != nil {
		return err
	}
	return load(prefixStop, func(k, v *fields) {
		r.stops.Set(stop{of: memo.Author(k.id()), by: memo.Author(k.id()), level: v.uint(), seq: v.uint(), id: v.id()})
	})
}

func (st standing) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, st.level), uint64(st.role))
}

func (g given) encode() []byte {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, g.level), uint64(g.role))
	return binary.AppendUvarint(append(b, g.by.Author[:]...), g.by.Seq)
}

func (v stop) encode() []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, v.level), v.seq), v.id[:]...)
}

func grantKey(space memo.SpaceID, g given) []byte {
	return prefixed(prefixGrant, 97, space[:], g.to[:], g.by.ID[:])
}

func stopKey(space memo.SpaceID, v stop) []byte {
	return prefixed(prefixStop, 97, space[:], v.of[:], v.by[:])
}
